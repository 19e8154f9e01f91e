-- What is kept of users.

CREATE TABLE account (
    number INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    user   TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    UNIQUE (kind, user, name)
) STRICT;
