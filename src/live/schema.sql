CREATE TABLE receipts (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    brand TEXT NOT NULL,
    arm TEXT NOT NULL,
    decision TEXT NOT NULL,
    mentioned INTEGER,
    receipt TEXT NOT NULL
);
-- What stands behind the number is compared there, so that no receipt is read that a filter does not let through.
CREATE INDEX receipts_by_decision ON receipts (decision, sequence, arm, mentioned, brand);
CREATE INDEX receipts_by_arm ON receipts (arm, sequence, mentioned, brand);
CREATE INDEX receipts_by_mention ON receipts (mentioned, sequence, brand);
CREATE INDEX receipts_by_brand ON receipts (brand, sequence);
CREATE INDEX receipts_by_time ON receipts (time);

CREATE TABLE counts (
    day INTEGER NOT NULL,
    brand TEXT NOT NULL,
    arm TEXT NOT NULL,
    language TEXT NOT NULL,
    topic TEXT NOT NULL,
    eligible INTEGER NOT NULL,
    decision TEXT NOT NULL,
    requests INTEGER NOT NULL,
    scored INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    positive INTEGER NOT NULL,
    tokens_added INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    planning_us INTEGER NOT NULL,
    total_us INTEGER NOT NULL,
    PRIMARY KEY (day, brand, arm, language, topic, eligible, decision)
) WITHOUT ROWID;

CREATE TABLE conversations (
    brand TEXT NOT NULL,
    arm TEXT NOT NULL,
    conversation INTEGER NOT NULL,
    day INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    PRIMARY KEY (brand, arm, conversation)
) WITHOUT ROWID;
CREATE INDEX conversations_by_day ON conversations (day);
-- What reports sum, in the order in which they do: without it a million conversations are sorted for each.
CREATE INDEX conversations_by_sum ON conversations (brand, day, arm, conversation & 1, answers, mentions, missing);

CREATE TABLE names (
    day INTEGER NOT NULL,
    brand TEXT NOT NULL,
    arm TEXT NOT NULL,
    name TEXT NOT NULL,
    answers INTEGER NOT NULL,
    PRIMARY KEY (day, brand, arm, name)
) WITHOUT ROWID;

CREATE TABLE items (
    day INTEGER NOT NULL,
    item TEXT NOT NULL,
    told INTEGER NOT NULL,
    scored INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    PRIMARY KEY (day, item)
) WITHOUT ROWID;
