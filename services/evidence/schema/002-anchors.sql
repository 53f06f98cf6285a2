-- Checkpoints of the chain, folded from its own events.
create table checkpoint (
  tenant      text not null,
  size        bigint not null,
  seq         bigint not null,
  at          text not null,
  root        text not null,
  link        text not null,
  frontier    jsonb not null,
  note        text not null,
  status      text not null check (status in ('stamped', 'pending')),
  token       text,
  tsa         text,
  independent boolean not null,
  gen_time    text,
  copies      text[] not null default '{}',
  primary key (tenant, size)
);
create index checkpoint_pending on checkpoint (tenant, size) where status = 'pending';

-- Hashes of the tree over all leaves, 256 a tile; level 1 holds the roots of the tiles of level 0, and so on.
-- What a receipt is computed from, also when the events themselves were pruned.
create table tile (
  tenant text not null,
  level  int not null,
  n      bigint not null,
  hashes bytea not null,
  primary key (tenant, level, n)
);

create table key_ring (
  tenant      text not null,
  purpose     text not null,
  seq         bigint not null,
  kind        text not null,
  key_id      text not null,
  fingerprint text not null,
  public_key  text,
  from_at     text not null,
  primary key (tenant, purpose, seq)
);
