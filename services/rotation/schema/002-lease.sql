-- One active rotation a principal, and at least two minutes between two. Not a fold: it decides who may begin.
create table lease (
  tenant      text        not null,
  principal   text        not null,
  rotation    text        not null,
  taken_at    timestamptz not null,
  released_at timestamptz,
  primary key (tenant, principal)
);
