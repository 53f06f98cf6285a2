-- Operators as their events say; `position` is how far this row has folded its stream.
create table operator (
  tenant text not null,
  operator text not null,
  position bigint not null,
  name text not null,
  state jsonb not null,
  primary key (tenant, operator)
);

-- Password hashes stand here alone, never in an event.
create table password (
  tenant text not null,
  operator text not null,
  phc text not null,
  primary key (tenant, operator)
);

create table session (
  tenant text not null,
  session text not null,
  operator text not null,
  carried_as text not null check (carried_as in ('cookie', 'bearer')),
  started_at timestamptz not null,
  last_seen_at timestamptz not null,
  -- An operator's sessions that were trusted before a change of password or a disabling are void.
  trusted_since timestamptz not null,
  reauthenticated_until timestamptz,
  ended_at timestamptz,
  primary key (tenant, session)
);
create index session_by_age on session (tenant, started_at);

-- Sign-ins that were refused while a lock held: counted, not appended.
create table refusal_count (
  tenant text not null,
  subject text not null,
  refusals bigint not null,
  primary key (tenant, subject)
);

-- Private halves of the keys that sign tokens, sealed with a key derived from SECRET_KEY.
create table signing_key (
  tenant text not null,
  kid text not null,
  jwk jsonb not null,
  sealed text not null,
  created_at timestamptz not null,
  primary key (tenant, kid)
);
