-- The sums of conversations, kept with each answer, so that no page has to sum a million of them.
CREATE TABLE sums (
    brand TEXT NOT NULL,
    day INTEGER NOT NULL,
    arm TEXT NOT NULL,
    half INTEGER NOT NULL,
    clusters INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    answers_squared INTEGER NOT NULL,
    mentions_squared INTEGER NOT NULL,
    products INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    PRIMARY KEY (brand, day, arm, half)
) WITHOUT ROWID;
INSERT INTO sums
SELECT brand, day, arm, conversation & 1, COUNT(*) FILTER (WHERE answers > 0), SUM(answers), SUM(mentions),
    SUM(answers * answers), SUM(mentions * mentions), SUM(answers * mentions), SUM(missing)
FROM conversations GROUP BY brand, day, arm, conversation & 1;
DROP INDEX conversations_by_sum;
