-- The next link: H(0x01 ‖ previous link ‖ leaf), from `start` on. As a window over an append's events it seals them
-- all within the insert: a loop that collects rows in arrays costs several times as much.
create function ledger.next_link(link bytea, leaf bytea, start bytea) returns bytea language plpgsql immutable as $$
begin
  return sha256('\x01'::bytea || coalesce(link, start) || leaf);
end $$;
create aggregate ledger.chain(leaf bytea, start bytea) (sfunc = ledger.next_link, stype = bytea);

-- The only way into a chain. Many requests in one call, so that one commit seals them all.

-- Requests lie in arrays, in the order of their tenants: request i has tenants[i], streams[i], expected[i] (null for
-- any; 0 for a new stream), counts[i] events, and its trace. The events of all requests follow each other in the
-- second group of arrays. Answers one row a request; a version conflict is an answer, not an exception.
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
-- Rows are few, though the planner of a generic plan cannot know: compiling would cost more than it saves.
set jit = off
as $$
#variable_conflict use_column
declare
  -- Inside a definer function `role` still tells who called.
  caller text := substr(current_setting('role'), 10);
  scope text := nullif(current_setting('attestry.tenant', true), '');
  ignored text;
  this_tenant text collate "C";
  this_stream text;
  head_seq bigint;
  head_link bytea;
  head_at timestamptz;
  at_text text;
  previous bigint;
  known record;
  last record;
  version bigint;
  seen_streams text[];
  seen_versions bigint[];
  seen int;
  start int := 1;
  n int := 0;
  -- The requests that are accepted: what their first event gets.
  a_request int[]; a_start int[]; a_count int[]; a_seq bigint[]; a_position bigint[]; a_previous bigint[];
  a_at timestamptz[]; a_at_text text[]; a_link bytea[];
begin
  if current_setting('role') not like 'attestry\_%' then
    raise exception 'an append needs a role attestry_<context>, not "%"', current_setting('role')
      using errcode = 'LG003';
  end if;
  -- The body is parsed as JSON, so that none closes the envelope and adds keys of its own.
  case (select max(case
      when v.type is null or v.id is null or v.body is null or v.type !~ '^[a-z]+[.][a-z-]+$' or length(v.type) > 80
        or not starts_with(v.body, '{') or v.body::json ->> 'id' is distinct from v.id::text then 1
      when not starts_with(v.type, caller || '.') then 2
      -- The envelope adds less than 512 bytes to a body.
      when octet_length(v.body) > 131072 - 512 then 3
      else 0 end)
    from unnest(types, ids, bodies) v(type, id, body))
    when 0 then
    when 1 then
      raise exception 'an event is malformed: its type, or its body is no object with its own id'
        using errcode = 'LG002';
    when 2 then
      raise exception 'role attestry_% appends events of its own context only', caller using errcode = 'LG003';
    when 3 then
      raise exception 'an event holds at most 131072 bytes; larger facts are split' using errcode = 'LG005';
    else
      raise exception 'an append has no events' using errcode = 'LG002';
  end case;

  for i in 1 .. coalesce(cardinality(tenants), 0) loop
    this_stream := streams[i];
    if this_tenant is distinct from tenants[i] then
      -- In the order of tenants: two calls never wait for each other crosswise.
      if tenants[i] is null or tenants[i] < this_tenant or length(tenants[i]) > 63
        or tenants[i] !~ '^[a-z0-9][a-z0-9-]*$' then
        raise exception 'a request is malformed: its tenant, or the order of tenants' using errcode = 'LG002';
      end if;
      this_tenant := tenants[i];
      if scope <> this_tenant then
        raise exception 'this transaction belongs to tenant "%" and appends to no other', scope using errcode = 'LG003';
      end if;
      -- A fair queue: row locks alone let a newcomer overtake.
      ignored := pg_advisory_xact_lock(hashtextextended('attestry.ledger ' || this_tenant, 0))::text;
      select h.seq, h.link, h.at, coalesce(h.context_seqs[array_position(h.contexts, caller)], 0)
        into head_seq, head_link, head_at, previous from ledger.head h where h.tenant = this_tenant for update;
      if not found then
        raise exception 'tenant "%" has no chain: open it first', this_tenant using errcode = 'LG004';
      end if;
      -- Never backwards in a tenant, whatever the machine's clock does.
      head_at := greatest(head_at, date_trunc('milliseconds', clock_timestamp()));
      at_text := to_char(head_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      seen_streams := null;
      seen_versions := null;
    end if;
    if this_stream is null or counts[i] is null or counts[i] < 1 or length(this_stream) > 120
      or this_stream !~ '^[a-z][0-9A-Za-z_.:-]*$' then
      raise exception 'a request is malformed: its stream or count' using errcode = 'LG002';
    end if;
    request := i;
    select
      (select x.position from ledger.event x where x.tenant = this_tenant and x.stream = this_stream
        order by x.position desc limit 1) as version,
      (select x.seq from ledger.event x where x.tenant = this_tenant and x.id = ids[start]) as seq
      into known;
    seen := array_position(seen_streams, this_stream);
    version := case when seen is null then coalesce(known.version, 0) else seen_versions[seen] end;

    if known.seq is not null then
      -- The caller tries again what it does not know to have succeeded: it gets the first answer.
      select x.seq, x.position, x.at, x.stream into last
        from ledger.event x where x.tenant = this_tenant and x.id = ids[start + counts[i] - 1];
      if last.seq is distinct from known.seq + counts[i] - 1 or last.stream <> this_stream then
        raise exception 'event id % was used by another append', ids[start] using errcode = 'LG006';
      end if;
      ok := true; first_seq := known.seq; last_seq := last.seq; last_position := last.position;
      stamped := to_char(last.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      duplicate := true; actual := null;
    elsif expected[i] <> version then
      ok := false; first_seq := null; last_seq := null; last_position := null; stamped := null; duplicate := false;
      actual := version;
    else
      n := n + 1;
      a_request[n] := i; a_start[n] := start; a_count[n] := counts[i]; a_seq[n] := head_seq + 1;
      a_position[n] := version + 1; a_previous[n] := previous; a_at[n] := head_at; a_at_text[n] := at_text;
      a_link[n] := head_link;
      ok := true; first_seq := head_seq + 1; stamped := at_text; duplicate := false; actual := null;
      head_seq := head_seq + counts[i];
      version := version + counts[i];
      previous := head_seq;
      last_seq := head_seq; last_position := version;
      if seen is null then
        seen_streams := seen_streams || this_stream;
        seen_versions := seen_versions || version;
      else
        seen_versions[seen] := version;
      end if;
    end if;
    start := start + counts[i];
    return next;
  end loop;
  if start <> cardinality(bodies) + 1 then
    raise exception 'the counts do not add up to the events' using errcode = 'LG002';
  end if;

  if n > 0 then
    with sealed as (
      insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope, leaf,
          link, private, traceparent, tracestate)
        select tenant, seq, position, previous, at, id, caller, stream, type, envelope, leaf,
          ledger.chain(leaf, link) over (partition by tenant order by seq), private, traceparent, tracestate
        from (
          select *, sha256('\x00'::bytea || convert_to(envelope, 'UTF8')) as leaf
          from (
            -- The keys of the envelope in canonical order; the body is canonical by itself.
            select r.tenant, a.seq + k as seq, a.position + k as position, a.at, r.stream, a.link, v.type, v.id,
              case when k = 0 then a.previous else a.seq + k - 1 end as previous, v.private, r.traceparent,
              r.tracestate,
              '{"at":"' || a.at_text || '","event":' || v.body || ',"position":' || a.position + k || ',"seq":'
                || a.seq + k || ',"stream":"' || r.stream || '","tenant":"' || r.tenant || '","type":"' || v.type
                || '"}' as envelope
            from unnest(a_request, a_start, a_count, a_seq, a_position, a_previous, a_at, a_at_text, a_link)
                a(request, start, count, seq, position, previous, at, at_text, link)
              join unnest(tenants, streams, traceparents, tracestates) with ordinality
                r(tenant, stream, traceparent, tracestate, o) on r.o = a.request
              cross join lateral generate_series(0, a.count - 1) k
              join unnest(types, ids, bodies, privates) with ordinality v(type, id, body, private, o)
                on v.o = a.start + k
            -- A fence: otherwise the envelope is built once for each place that names it.
            offset 0
          ) written
          offset 0
        ) hashed
        returning tenant, seq, at, link
    )
    update ledger.head h set seq = s.seq, link = s.link, at = s.at,
        contexts[s.place] = caller, context_seqs[s.place] = s.seq
      from (
        select distinct on (e.tenant) e.*, coalesce(array_position(x.contexts, caller), cardinality(x.contexts) + 1) as place
        from sealed e join ledger.head x on x.tenant = e.tenant order by e.tenant, e.seq desc
      ) s
      where h.tenant = s.tenant;
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
