-- The digest of the mapping from rules to frameworks that was adopted last: a fold of this service's own events.
create table mapping (
  tenant text not null,
  digest text not null,
  primary key (tenant)
);
