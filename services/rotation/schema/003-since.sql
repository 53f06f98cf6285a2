-- When a rotation came to its stage. The fold's version rises with it, so that every row is written again.
alter table runs add column since timestamptz not null default 'epoch';
