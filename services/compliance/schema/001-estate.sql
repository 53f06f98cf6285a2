-- What others have told, one row a thing: a fold of discovery, rotation and sync. What is gone keeps its row, so
-- that whoever holds the estate in memory learns of it by `seq`, and so that old findings keep a name.
create table estate (
  tenant     text        not null,
  id         text        not null,
  kind       text        not null,
  context    text        not null,
  holder     text,
  name       text        not null,
  gone       boolean     not null,
  facts      jsonb       not null,
  seq        bigint      not null,
  changed_at timestamptz not null,
  primary key (tenant, id)
);
create index estate_by_seq on estate (tenant, context, seq);
create index estate_by_holder on estate (tenant, holder);
create index estate_by_target on estate (tenant, (facts ->> 'target')) where kind = 'edge';
create index estate_by_credential on estate (tenant, (facts ->> 'credential')) where kind = 'policy';

-- How far each context was folded, and how far it was judged. `judged` is no fold: the command that evaluates
-- writes it, for the context `compliance` the seq of what it appended last.
create table horizon (
  tenant  text   not null,
  context text   not null,
  folded  bigint not null default 0,
  judged  bigint not null default 0,
  primary key (tenant, context)
);
