-- The only way into a chain. Many requests in one call, so that one commit seals them all; one call is one statement,
-- hence one round trip and no session state: works behind a transaction pooler.

-- Appends as a role attestry_<context> that the login may take; within a transaction that took one, say
-- current_setting('role'). Requests lie in lists, in the order of their tenants: request r has tenant r, stream r,
-- expected[r] (null for any; 0 for a new stream), counts[r] events, and its trace. The events of all requests follow each
-- other in the second group of lists. Lists of texts and ids come as one text with a value a line: no value that may
-- stand holds a newline, and to read an array takes the server five times as long.
-- Answers one row a request, in their order. A version conflict is an answer, not an exception: `first_seq` is null and
-- `last_position` the stream's.
-- Raises LG002 for a malformed request, LG003 for a foreign role, context or tenant, LG004 for a tenant without a chain,
-- LG005 for an event above 128 kB, LG006 for an id that is used by another append, 40001 where a head moved though it
-- was locked.
-- Written for few executions of few expressions: plpgsql makes each ready anew in every transaction, which costs an
-- append of one event more than all that it then computes.
create function ledger.append(
  as_role text, tenants text, streams text, expected bigint[], counts int[], traceparents text[], tracestates text[],
  types text, ids text, bodies text, privates text[]
) returns table (first_seq bigint, last_position bigint, stamped text, duplicate boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Array parameters are planned anew on every call otherwise.
set plan_cache_mode = force_generic_plan
-- Rows are few, though the planner of a generic plan cannot know: compiling would cost more than it saves.
set jit = off
-- textsend() gives the bytes of a text as the client would get them; what is hashed is UTF-8.
set client_encoding = 'UTF8'
as $$
#variable_conflict use_column
declare
  caller text := substr(as_role, 10);
  tenant_of text[] := string_to_array(tenants, e'\n');
  stream_of text[] := string_to_array(streams, e'\n');
  type_of text[] := string_to_array(types, e'\n');
  id_of uuid[] := string_to_array(ids, e'\n');
  body_of text[] := string_to_array(bodies, e'\n');
  id_texts bytea := textsend(array_to_string(id_of, '', repeat(' ', 36)));
  ignored text;
  -- The request that is looked at, and its first and last event.
  r int := 1;
  first int := 1;
  final int;
  this_tenant text collate "C";
  this_stream text collate "C";
  this_type text;
  this_id uuid;
  version bigint;
  known bigint;
  earlier record;
  -- The tenant's head, as it was and as it becomes.
  seq_before bigint;
  head_seq bigint;
  head_link bytea;
  head_at timestamptz;
  -- Where the head keeps the last seq of this context, and that seq.
  place int;
  previous bigint;
  -- Streams that this call appended to, the newest first, and their versions since.
  seen text[];
  seen_versions bigint[];
  -- An envelope around what differs from one event to the next.
  at_text text;
  opening text;
  closing text;
  -- A request that is accepted puts event k at seq k + seq_from and at position k + position_from, the first of them
  -- behind before_first in its context.
  seq_from bigint;
  position_from bigint;
  first_of int[]; seq_from_of bigint[]; position_from_of bigint[]; before_first_of bigint[]; at_of timestamptz[];
  -- What is made of each event that is accepted.
  envelopes text[]; leaves bytea[]; links bytea[];
begin
  if (starts_with(as_role, 'attestry_') and pg_has_role(session_user, as_role, 'SET')
    and has_table_privilege(as_role, 'ledger.event', 'select')) is not true then
    raise exception 'an append needs a role attestry_<context> that the login may take, not "%"', as_role
      using errcode = 'LG003';
  end if;
  if (cardinality(id_of) >= 1 and cardinality(type_of) = cardinality(id_of)
    and cardinality(body_of) = cardinality(id_of) and cardinality(stream_of) = cardinality(tenant_of)
    and cardinality(expected) = cardinality(tenant_of) and cardinality(counts) = cardinality(tenant_of)) is not true then
    raise exception 'an append has no events, or one of its lists another length' using errcode = 'LG002';
  end if;
  for k in 1 .. cardinality(id_of) loop
    -- The body is parsed as JSON, so that none closes the envelope and adds keys of its own. In a valid object the text
    -- `,"id":"…","v":` before the last two bytes can stand nowhere but at the top: that saves to take the object apart.
    if (body_of[k] is json object and substr(textsend(body_of[k]), octet_length(body_of[k]) - 50, 49)
      = ',"id":"'::bytea || substr(id_texts, 36 * k - 35, 36) || '","v":'::bytea) is not true then
      if (body_of[k] is json object and body_of[k]::json ->> 'id' = id_of[k]::text) is not true then
        raise exception 'an event is malformed: its body is no object with its own id' using errcode = 'LG002';
      end if;
    end if;
    -- The events of an append are mostly of one type. The envelope adds less than 512 bytes to a body.
    if type_of[k] is distinct from this_type or octet_length(body_of[k]) > 131072 - 512 then
      this_type := type_of[k];
      if (this_type ~ '^[a-z]+[.][a-z-]+$' and length(this_type) <= 80) is not true then
        raise exception 'an event is malformed: its type' using errcode = 'LG002';
      end if;
      if not starts_with(this_type, caller || '.') then
        raise exception 'role attestry_% appends events of its own context only', caller using errcode = 'LG003';
      end if;
      if octet_length(body_of[k]) > 131072 - 512 then
        raise exception 'an event holds at most 131072 bytes; larger facts are split' using errcode = 'LG005';
      end if;
    end if;
  end loop;

  while r <= cardinality(tenant_of) loop
    -- In the order of tenants: two calls never wait for each other crosswise.
    if (tenant_of[r] ~ '^[a-z0-9][a-z0-9-]*$' and length(tenant_of[r]) <= 63
      and (this_tenant is null or this_tenant < tenant_of[r])) is not true then
      raise exception 'a request is malformed: its tenant, or the order of tenants' using errcode = 'LG002';
    end if;
    this_tenant := tenant_of[r];
    if nullif(current_setting('attestry.tenant', true), '') <> this_tenant then
      raise exception 'this transaction belongs to tenant "%" and appends to no other',
        current_setting('attestry.tenant', true) using errcode = 'LG003';
    end if;
    -- A fair queue: row locks alone let a newcomer overtake. What follows sees what the one before has committed, and
    -- nobody else appends to this chain before this transaction ends.
    ignored := pg_advisory_xact_lock(hashtextextended('attestry.ledger ' || this_tenant, 0))::text;
    -- Never backwards in a tenant, whatever the machine's clock does.
    select h.seq, h.seq, h.link, greatest(h.at, date_trunc('milliseconds', clock_timestamp())),
        coalesce(array_position(h.contexts, caller), cardinality(h.contexts) + 1),
        coalesce(h.context_seqs[array_position(h.contexts, caller)], 0)
      into seq_before, head_seq, head_link, head_at, place, previous
      from ledger.head h where h.tenant = this_tenant;
    if head_seq is null then
      raise exception 'tenant "%" has no chain: open it first', this_tenant using errcode = 'LG004';
    end if;
    at_text := to_char(head_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
    -- The keys of the envelope in canonical order; the body is canonical by itself.
    opening := '{"at":"' || at_text || '","event":';
    seen := null;

    loop
      this_stream := stream_of[r];
      final := first + counts[r] - 1;
      if (this_stream ~ '^[a-z][0-9A-Za-z_.:-]*$' and length(this_stream) <= 120
        and final between first and cardinality(id_of)) is not true then
        raise exception 'a request is malformed: its stream, or more events than there are' using errcode = 'LG002';
      end if;
      this_id := id_of[first];
      select
          (select x.position from ledger.event x where x.tenant = this_tenant and x.stream = this_stream
            order by x.position desc limit 1),
          -- As a range in order, so that a planner without statistics takes the index by id too, and walks no tenant.
          (select x.seq from ledger.event x where x.tenant = this_tenant and x.id >= this_id and x.id <= this_id
            order by x.id limit 1)
        into version, known;
      version := coalesce(seen_versions[array_position(seen, this_stream)], version, 0);

      if known is not null then
        -- The caller tries again what it does not know to have succeeded: it gets the first answer.
        select x.seq, x.position, x.at, x.stream into earlier
          from ledger.event x where x.tenant = this_tenant and x.id = id_of[final];
        if earlier.seq is distinct from known + counts[r] - 1 or earlier.stream <> this_stream then
          raise exception 'event id % was used by another append', this_id using errcode = 'LG006';
        end if;
        first_seq := known; last_position := earlier.position; duplicate := true;
        stamped := to_char(earlier.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      elsif expected[r] <> version then
        first_seq := null; last_position := version; duplicate := false; stamped := null;
      else
        seq_from := head_seq - first + 1;
        position_from := version - first + 1;
        first_of[r] := first; seq_from_of[r] := seq_from; position_from_of[r] := position_from;
        before_first_of[r] := previous; at_of[r] := head_at;
        closing := ',"stream":"' || this_stream || '","tenant":"' || this_tenant || '","type":"';
        for k in first .. final loop
          envelopes[k] := opening || body_of[k] || (',"position":' || k + position_from || ',"seq":' || k + seq_from
            || closing || type_of[k] || '"}');
          leaves[k] := sha256('\x00'::bytea || textsend(envelopes[k]));
          head_link := sha256('\x01'::bytea || head_link || leaves[k]);
          links[k] := head_link;
        end loop;
        first_seq := head_seq + 1; last_position := final + position_from; duplicate := false; stamped := at_text;
        head_seq := final + seq_from;
        previous := head_seq;
        if cardinality(tenant_of) > 1 then
          seen := this_stream || seen;
          seen_versions := last_position || seen_versions;
        end if;
      end if;
      return next;
      first := final + 1;
      r := r + 1;
      exit when tenant_of[r] is distinct from this_tenant;
    end loop;

    if head_seq > seq_before then
      update ledger.head set seq = head_seq, link = head_link, at = head_at, contexts[place] = caller,
          context_seqs[place] = head_seq
        where tenant = this_tenant and seq = seq_before;
      if not found then
        raise exception 'the head of a chain moved under its lock' using errcode = '40001';
      end if;
    end if;
  end loop;
  if first <> cardinality(id_of) + 1 then
    raise exception 'the counts do not add up to the events' using errcode = 'LG002';
  end if;

  if cardinality(at_of) >= 1 then
    insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope, leaf,
        link, private, traceparent, tracestate)
      select tenant, k + seq_from, k + position_from, case when k = first_event then before_first else k + seq_from - 1 end,
        at, id_of[k], caller, stream, type_of[k], envelopes[k], leaves[k], links[k], privates[k], traceparent, tracestate
      -- What the events of a request share is looked up once. Not unnest(): it writes down each of its arrays first.
      from (
        select tenant_of[i] as tenant, stream_of[i] as stream, traceparents[i] as traceparent, tracestates[i] as tracestate,
          first_of[i] as first_event, first_of[i] + counts[i] - 1 as last_event, seq_from_of[i] as seq_from,
          position_from_of[i] as position_from, before_first_of[i] as before_first, at_of[i] as at
        from generate_series(1, cardinality(at_of)) i offset 0
      ) accepted, generate_series(first_event, last_event) k;
  end if;
end $$;

-- Opens a tenant's chain with `ledger.opened`, once; the same origin again changes nothing.
-- Raises LG007 where the chain was opened with another origin: a demonstration never becomes real.
create function ledger.open_tenant(new_tenant text, new_origin text, new_key bytea, event_id uuid, event_body text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  earlier text;
begin
  if current_setting('role') <> 'attestry_ledger' then
    raise exception 'only role attestry_ledger opens a chain' using errcode = 'LG003';
  end if;
  if event_body::json -> 'data' ->> 'origin' is distinct from new_origin then
    raise exception 'the event says another origin than the request' using errcode = 'LG002';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('attestry.ledger ' || new_tenant, 0));
  select origin into earlier from ledger.tenant where tenant = new_tenant;
  if earlier = new_origin then
    return;
  end if;
  if earlier is not null then
    raise exception 'the chain of tenant "%" was opened as %, for ever; it does not become %', new_tenant, earlier,
      new_origin using errcode = 'LG007';
  end if;
  insert into ledger.tenant (tenant, stream_key, origin) values (new_tenant, new_key, new_origin);
  insert into ledger.head (tenant, seq, link, at)
    values (new_tenant, 0, decode(repeat('00', 32), 'hex'), 'epoch');
  perform ledger.append('attestry_ledger', new_tenant, 'ledger', array[0], array[1], null, null, 'ledger.opened',
    event_id::text, event_body, null);
end $$;

-- Removes private values: first the event that says which, why, who and under which duty, then the values.
-- The envelopes and every hash stay. Answers how many rows held something.
create function ledger.erase(of_tenant text, seqs bigint[], event_id uuid, event_body text, event_private text)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
begin
  if current_setting('role') <> 'attestry_ledger' then
    raise exception 'only role attestry_ledger erases' using errcode = 'LG003';
  end if;
  if (event_body::jsonb -> 'data' -> 'seqs') is distinct from to_jsonb(seqs) then
    raise exception 'the event names other rows than the request' using errcode = 'LG002';
  end if;
  perform ledger.append('attestry_ledger', of_tenant, 'ledger', array[null::bigint], array[1], null, null,
    'ledger.erased', event_id::text, event_body, array[event_private]);
  update ledger.event set private = null where tenant = of_tenant and seq = any (seqs) and private is not null;
  get diagnostics erased = row_count;
  return erased;
end $$;

revoke execute on function ledger.open_tenant, ledger.erase from public;
