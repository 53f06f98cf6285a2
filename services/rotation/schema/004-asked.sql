-- Rotations that a person asked for, and when: what a licence's limit of them a month is counted by.
create table asked (
  tenant   text        not null,
  rotation text        not null,
  at       timestamptz not null,
  primary key (tenant, rotation)
);
create index asked_by_time on asked (tenant, at);
