-- Users are remembered by when they were last seen: rows of a kind that hubs before did not know.

DELETE FROM account WHERE kind = 'seen';
