-- When a policy was enabled: what discovery does not list has no date of its own, so its first rotation is due a cadence after.
alter table policies add column since timestamptz;
