-- What SQLite finds wrong with the file's pages and values; one row "ok" where nothing is.
PRAGMA integrity_check(20);
