-- The only way into a chain. Many requests in one call, so that one commit seals them all.

-- Requests lie in arrays: request i has tenants[i], streams[i], expected[i] (null for any; 0 for a new stream),
-- counts[i] events, and its trace. The events of all requests follow each other in the second group of arrays.
-- Answers one row a request; a version conflict is an answer, not an exception.
-- Raises LG002 for a malformed request, LG003 for a foreign context or tenant, LG004 for a tenant without a chain,
-- LG005 for an event above 128 kB, LG006 for an id that is used by another append.
create function ledger.append(
  tenants text[], streams text[], expected bigint[], counts int[], traceparents text[], tracestates text[],
  types text[], ids uuid[], bodies text[], privates text[]
) returns table (
  request int, ok boolean, first_seq bigint, last_seq bigint, last_position bigint, stamped text, duplicate boolean,
  actual bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Array parameters are planned anew on every call otherwise.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  -- Inside a definer function `role` still tells who called.
  caller text := substr(current_setting('role'), 10);
  scope text := nullif(current_setting('attestry.tenant', true), '');
  requests int := coalesce(cardinality(tenants), 0);
  starts int[];
  i int;
  this_tenant text;
  this_stream text;
  head_seq bigint;
  head_link bytea;
  head_at timestamptz;
  head_contexts text[];
  head_context_seqs bigint[];
  known record;
  last record;
  context_at int;
  previous bigint;
  version bigint;
  at_text text;
  seen_streams text[];
  seen_versions bigint[];
  seen int;
  e int;
  envelope text;
  leaf bytea;
  n int := 0;
  o_tenant text[]; o_seq bigint[]; o_position bigint[]; o_prev bigint[]; o_at timestamptz[]; o_id uuid[];
  o_stream text[]; o_type text[]; o_envelope text[]; o_leaf bytea[]; o_link bytea[]; o_private text[];
  o_traceparent text[]; o_tracestate text[];
begin
  if current_setting('role') not like 'attestry\_%' then
    raise exception 'an append needs a role attestry_<context>, not "%"', current_setting('role')
      using errcode = 'LG003';
  end if;
  if exists (select from unnest(tenants, streams, counts) r(tenant, stream, events)
    where tenant is null or stream is null or events is null or events < 1 or length(tenant) > 63
      or tenant !~ '^[a-z0-9][a-z0-9-]*$' or length(stream) > 120 or stream !~ '^[a-z][0-9A-Za-z_.:-]*$') then
    raise exception 'a request is malformed: tenant, stream or count' using errcode = 'LG002';
  end if;
  if scope is not null and exists (select from unnest(tenants) tenant where tenant <> scope) then
    raise exception 'this transaction belongs to tenant "%" and appends to no other', scope using errcode = 'LG003';
  end if;
  if exists (select from unnest(types) type where type is null or type !~ '^[a-z]+[.][a-z-]+$') then
    raise exception 'an event''s type is malformed' using errcode = 'LG002';
  end if;
  if exists (select from unnest(types) type where not starts_with(type, caller || '.')) then
    raise exception 'role attestry_% appends events of its own context only', caller using errcode = 'LG003';
  end if;
  -- Parsed as JSON, so that no body closes the envelope and adds keys of its own.
  if exists (select from unnest(ids, bodies) b(id, body)
    where id is null or body is null or not starts_with(body, '{') or body::json ->> 'id' is distinct from id::text)
  then
    raise exception 'an event''s body is no object with its own id' using errcode = 'LG002';
  end if;
  if (select coalesce(sum(events), 0) from unnest(counts) events) <> coalesce(cardinality(bodies), 0) then
    raise exception 'the counts do not add up to the events' using errcode = 'LG002';
  end if;
  starts := array(select sum(c) over (order by o) - c + 1 from unnest(counts) with ordinality u(c, o) order by o);

  -- In the order of tenants: two calls never wait for each other crosswise.
  for i in select o from unnest(tenants) with ordinality u(tenant, o) order by tenant collate "C", o loop
    if this_tenant is distinct from tenants[i] then
      if this_tenant is not null then
        update ledger.head h set seq = head_seq, link = head_link, at = head_at, contexts = head_contexts,
          context_seqs = head_context_seqs where h.tenant = this_tenant and h.seq < head_seq;
      end if;
      this_tenant := tenants[i];
      -- A fair queue: row locks alone let a newcomer overtake.
      perform pg_advisory_xact_lock(hashtextextended('attestry.ledger ' || this_tenant, 0));
      select h.seq, h.link, h.at, h.contexts, h.context_seqs into head_seq, head_link, head_at, head_contexts, head_context_seqs
        from ledger.head h where h.tenant = this_tenant for update;
      if not found then
        raise exception 'tenant "%" has no chain: open it first', this_tenant using errcode = 'LG004';
      end if;
      -- Never backwards in a tenant, whatever the machine's clock does.
      head_at := greatest(head_at, date_trunc('milliseconds', clock_timestamp()));
      at_text := to_char(head_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      context_at := array_position(head_contexts, caller);
      if context_at is null then
        head_contexts := head_contexts || caller;
        head_context_seqs := head_context_seqs || 0::bigint;
        context_at := cardinality(head_contexts);
      end if;
      previous := head_context_seqs[context_at];
      seen_streams := '{}';
      seen_versions := '{}';
    end if;
    this_stream := streams[i];
    e := starts[i];

    select
      (select x.position from ledger.event x where x.tenant = this_tenant and x.stream = this_stream
        order by x.position desc limit 1) as version,
      (select x.seq from ledger.event x where x.tenant = this_tenant and x.id = ids[e]) as seq
      into known;
    if known.seq is not null then
      -- The caller tries again what it does not know to have succeeded: it gets the first answer.
      select x.seq, x.position, x.at, x.stream into last
        from ledger.event x where x.tenant = this_tenant and x.id = ids[e + counts[i] - 1];
      if last.seq is distinct from known.seq + counts[i] - 1 or last.stream <> this_stream then
        raise exception 'event id % was used by another append', ids[e] using errcode = 'LG006';
      end if;
      request := i; ok := true; first_seq := known.seq; last_seq := last.seq; last_position := last.position;
      stamped := to_char(last.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      duplicate := true; actual := null;
      return next;
      continue;
    end if;

    seen := array_position(seen_streams, this_stream);
    version := case when seen is null then coalesce(known.version, 0) else seen_versions[seen] end;
    if expected[i] is not null and expected[i] <> version then
      request := i; ok := false; first_seq := null; last_seq := null; last_position := null; stamped := null;
      duplicate := false; actual := version;
      return next;
      continue;
    end if;

    request := i; ok := true; first_seq := head_seq + 1; duplicate := false; actual := null; stamped := at_text;
    for e in starts[i] .. starts[i] + counts[i] - 1 loop
      head_seq := head_seq + 1;
      version := version + 1;
      n := n + 1;
      -- The keys of the envelope in canonical order; the body is canonical by itself.
      envelope := '{"at":"' || at_text || '","event":' || bodies[e] || ',"position":' || version || ',"seq":'
        || head_seq || ',"stream":"' || this_stream || '","tenant":"' || this_tenant || '","type":"' || types[e]
        || '"}';
      if octet_length(envelope) > 131072 then
        raise exception 'event % of type % has % bytes; an event holds at most 131072, larger facts are split',
          ids[e], types[e], octet_length(envelope) using errcode = 'LG005';
      end if;
      leaf := sha256('\x00'::bytea || convert_to(envelope, 'UTF8'));
      head_link := sha256('\x01'::bytea || head_link || leaf);
      o_tenant[n] := this_tenant; o_seq[n] := head_seq; o_position[n] := version; o_prev[n] := previous;
      o_at[n] := head_at; o_id[n] := ids[e]; o_stream[n] := this_stream; o_type[n] := types[e];
      o_envelope[n] := envelope; o_leaf[n] := leaf; o_link[n] := head_link; o_private[n] := privates[e];
      o_traceparent[n] := traceparents[i]; o_tracestate[n] := tracestates[i];
      previous := head_seq;
    end loop;
    head_context_seqs[context_at] := previous;
    if seen is null then
      seen_streams := seen_streams || this_stream;
      seen_versions := seen_versions || version;
    else
      seen_versions[seen] := version;
    end if;
    last_seq := head_seq; last_position := version;
    return next;
  end loop;

  if n > 0 then
    update ledger.head h set seq = head_seq, link = head_link, at = head_at, contexts = head_contexts,
      context_seqs = head_context_seqs where h.tenant = this_tenant and h.seq < head_seq;
    insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope, leaf,
        link, private, traceparent, tracestate)
      select u.tenant, u.seq, u.position, u.prev, u.at, u.id, caller, u.stream, u.type, u.envelope, u.leaf, u.link,
        u.private, u.traceparent, u.tracestate
      from unnest(o_tenant, o_seq, o_position, o_prev, o_at, o_id, o_stream, o_type, o_envelope, o_leaf, o_link,
        o_private, o_traceparent, o_tracestate)
        u(tenant, seq, position, prev, at, id, stream, type, envelope, leaf, link, private, traceparent, tracestate);
  end if;
end $$;

-- Role and append in one statement, hence one round trip and no session state: works behind a transaction pooler.
-- Runs as invoker, so a login takes only a role that it was granted.
create function ledger.append_as(
  as_role text, tenants text[], streams text[], expected bigint[], counts int[], traceparents text[],
  tracestates text[], types text[], ids uuid[], bodies text[], privates text[]
) returns table (
  request int, ok boolean, first_seq bigint, last_seq bigint, last_position bigint, stamped text, duplicate boolean,
  actual bigint
) language plpgsql as $$
begin
  perform set_config('role', as_role, true);
  return query select a.* from ledger.append(tenants, streams, expected, counts, traceparents, tracestates, types, ids,
    bodies, privates) a;
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
  perform ledger.append(array[new_tenant], array['ledger'], array[0::bigint], array[1], array[null::text],
    array[null::text], array['ledger.opened'], array[event_id], array[event_body], array[null::text]);
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
  perform ledger.append(array[of_tenant], array['ledger'], array[null::bigint], array[1], array[null::text],
    array[null::text], array['ledger.erased'], array[event_id], array[event_body], array[event_private]);
  update ledger.event set private = null where tenant = of_tenant and seq = any (seqs) and private is not null;
  get diagnostics erased = row_count;
  return erased;
end $$;

revoke execute on function ledger.append, ledger.open_tenant, ledger.erase from public;
