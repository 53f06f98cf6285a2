-- What the install keeps about its licence: one row, of the tenant `install`.
create table install (
  tenant          text primary key,
  -- The same for as long as the database lives, whatever container runs.
  install         uuid not null,
  -- Sealed under SECRET_KEY; an operator entered it.
  key_sealed      text,
  key_prefix      text,
  -- The last signed answer, and a loaded licence file: the exact text that was signed, with its signature.
  answer          text,
  file            text,
  -- The newest instant that the vendor signed, and the newest that this machine's clock has shown.
  last_iat        timestamptz,
  seen_at         timestamptz,
  last_answer_at  timestamptz,
  last_attempt_at timestamptz,
  next_attempt_at timestamptz,
  problem         text,
  -- Names of the counts that were sent last; an event tells when they change.
  sent            text
);

-- What the install counts about itself, folded from events.
create table estate (
  tenant      text not null,
  environment text not null,
  counts      jsonb not null,
  primary key (tenant, environment)
);
create table tally (
  tenant text not null,
  name   text not null,
  n      bigint not null,
  primary key (tenant, name)
);
create table member (
  tenant text not null,
  kind   text not null,
  id     text not null,
  primary key (tenant, kind, id)
);
