-- What a community wants of the gateway, JSON.
ALTER TABLE communities ADD COLUMN settings BLOB;
