-- A conversation's answers about one topic, or in one language: the unit of comparison within these.
CREATE TABLE parts (
    brand TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    arm TEXT NOT NULL,
    conversation INTEGER NOT NULL,
    day INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    PRIMARY KEY (brand, kind, value, arm, conversation)
) WITHOUT ROWID;
CREATE INDEX parts_by_day ON parts (day);

-- Their sums, kept with each answer, so that no page has to sum conversations.
CREATE TABLE part_sums (
    brand TEXT NOT NULL,
    kind TEXT NOT NULL,
    day INTEGER NOT NULL,
    value TEXT NOT NULL,
    arm TEXT NOT NULL,
    clusters INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    answers_squared INTEGER NOT NULL,
    mentions_squared INTEGER NOT NULL,
    products INTEGER NOT NULL,
    PRIMARY KEY (brand, kind, day, value, arm)
) WITHOUT ROWID;

-- What receipts of before say of it.
INSERT INTO parts
SELECT brand, 'topic', json_extract(receipt, '$.topic'), arm, json_extract(receipt, '$.conversation'),
    MIN(time / 86400000), COUNT(*), SUM(mentioned)
FROM receipts
WHERE arm <> '' AND mentioned IS NOT NULL AND json_extract(receipt, '$.eligible')
    AND json_extract(receipt, '$.conversation') IS NOT NULL
GROUP BY 1, 3, 4, 5;
INSERT INTO parts
SELECT brand, 'language', json_extract(receipt, '$.language'), arm, json_extract(receipt, '$.conversation'),
    MIN(time / 86400000), COUNT(*), SUM(mentioned)
FROM receipts
WHERE arm <> '' AND mentioned IS NOT NULL AND json_extract(receipt, '$.eligible')
    AND json_extract(receipt, '$.conversation') IS NOT NULL
GROUP BY 1, 3, 4, 5;
INSERT INTO part_sums
SELECT brand, kind, day, value, arm, COUNT(*), SUM(answers), SUM(mentions), SUM(answers * answers),
    SUM(mentions * mentions), SUM(answers * mentions)
FROM parts GROUP BY brand, kind, day, value, arm;

-- Questions that found nothing, redacted; empty unless the configuration asks for them.
CREATE TABLE questions (
    sequence INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,
    asker INTEGER NOT NULL,
    language TEXT NOT NULL,
    names INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (asker, text)
);
