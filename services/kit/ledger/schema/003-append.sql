-- The only way into a chain. Many requests in one call, so that one commit seals them all.

-- Requests lie in arrays, in the order of their tenants: request i has tenants[i], streams[i], expected[i] (null for
-- any; 0 for a new stream), counts[i] events, and its trace. The events of all requests follow each other in the
-- second group of arrays. Answers one row a request; a version conflict is an answer, not an exception.
-- Raises LG002 for a malformed request, LG003 for a foreign context or tenant, LG004 for a tenant without a chain,
-- LG005 for an event above 128 kB, LG006 for an id that is used by another append, 40001 where a head moved though it
-- was locked.
-- Few statements and many plain expressions: a statement costs some twenty times as much as an expression, which
-- plpgsql computes without the executor.
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
-- textsend() gives the bytes of a text as the client would get them; what is hashed is UTF-8.
set client_encoding = 'UTF8'
as $$
#variable_conflict use_column
declare
  -- Inside a definer function `role` still tells who called.
  caller text := substr(current_setting('role'), 10);
  scope text := nullif(current_setting('attestry.tenant', true), '');
  ignored text;
  this_type text;
  id_texts bytea;
  this_tenant text collate "C";
  this_stream text;
  asked record;
  last record;
  start int := 1;
  firsts uuid[];
  head_seq bigint;
  head_link bytea;
  head_at timestamptz;
  at_text text;
  previous bigint;
  version bigint;
  seen_streams text[];
  seen_versions bigint[];
  seen int;
  -- Request i, where it is accepted, puts its events from first_event[i] on: event k at seq k + seq_from[i] and at
  -- position k + position_from[i], the first of them behind before_first[i] in its context.
  first_event int[]; seq_from bigint[]; position_from bigint[]; before_first bigint[]; ats timestamptz[];
  -- What is made of each event that is accepted.
  envelopes text[]; leaves bytea[]; links bytea[];
  -- An envelope around what differs from one event to the next.
  opening text;
  closing text;
  -- Of each tenant: the head as it was and as it becomes.
  t int := 0;
  moved_tenants text[]; moved_from bigint[]; moved_to bigint[]; moved_links bytea[]; moved_ats timestamptz[];
  moved bigint;
begin
  if current_setting('role') not like 'attestry\_%' then
    raise exception 'an append needs a role attestry_<context>, not "%"', current_setting('role')
      using errcode = 'LG003';
  end if;
  if coalesce(cardinality(bodies), 0) = 0 then
    raise exception 'an append has no events' using errcode = 'LG002';
  end if;
  id_texts := textsend(array_to_string(ids, '', repeat(' ', 36)));
  for k in 1 .. greatest(cardinality(types), cardinality(ids), cardinality(bodies)) loop
    -- The body is parsed as JSON, so that none closes the envelope and adds keys of its own. In a valid object the text
    -- `,"id":"…","v":` before the last two bytes can stand nowhere but at the top: that saves to take the object apart.
    if (bodies[k] is json object and (
        substr(textsend(bodies[k]), octet_length(bodies[k]) - 50, 49)
          = ',"id":"'::bytea || substr(id_texts, 36 * k - 35, 36) || '","v":'::bytea
        or bodies[k]::json ->> 'id' = ids[k]::text)) is not true or types[k] is null then
      raise exception 'an event is malformed: its type, or its body is no object with its own id'
        using errcode = 'LG002';
    end if;
    -- The events of an append are mostly of one type. The envelope adds less than 512 bytes to a body.
    if types[k] is distinct from this_type or octet_length(bodies[k]) > 131072 - 512 then
      this_type := types[k];
      if this_type !~ '^[a-z]+[.][a-z-]+$' or length(this_type) > 80 then
        raise exception 'an event is malformed: its type, or its body is no object with its own id'
          using errcode = 'LG002';
      end if;
      if not starts_with(this_type, caller || '.') then
        raise exception 'role attestry_% appends events of its own context only', caller using errcode = 'LG003';
      end if;
      if octet_length(bodies[k]) > 131072 - 512 then
        raise exception 'an event holds at most 131072 bytes; larger facts are split' using errcode = 'LG005';
      end if;
    end if;
  end loop;

  for i in 1 .. greatest(cardinality(tenants), cardinality(streams), cardinality(expected), cardinality(counts)) loop
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
    end if;
    if (counts[i] >= 1 and length(streams[i]) <= 120 and streams[i] ~ '^[a-z][0-9A-Za-z_.:-]*$') is not true then
      raise exception 'a request is malformed: its stream or count' using errcode = 'LG002';
    end if;
    firsts[i] := ids[start];
    start := start + counts[i];
  end loop;
  if start <> cardinality(bodies) + 1 then
    raise exception 'the counts do not add up to the events' using errcode = 'LG002';
  end if;

  start := 1;
  this_tenant := null;
  -- Seen after the locks were taken, so nobody appends to these chains before this transaction ends.
  for asked in
    select i, h.tenant, h.seq, h.link, h.at,
        coalesce(h.context_seqs[array_position(h.contexts, caller)], 0) as previous,
        coalesce((select x.position from ledger.event x where x.tenant = tenants[i] and x.stream = streams[i]
          order by x.position desc limit 1), 0) as version,
        -- As a range in order, so that a planner without statistics takes the index by id too, and walks no tenant.
        (select x.seq from ledger.event x where x.tenant = tenants[i] and x.id >= firsts[i] and x.id <= firsts[i]
          order by x.id limit 1) as known
      from generate_series(1, cardinality(tenants)) i
        -- A fence: looked up by its key, however many rows the planner takes a list to have.
        left join lateral (select * from ledger.head y where y.tenant = tenants[i] offset 0) h on true
  loop
    -- A series is walked in its order, whatever is joined to it. To sort it as well costs more than to look here.
    request := coalesce(request, 0) + 1;
    if asked.i <> request then
      raise exception 'the requests came in another order than they were given' using errcode = 'XX000';
    end if;
    if this_tenant is distinct from tenants[request] then
      this_tenant := tenants[request];
      if asked.tenant is null then
        raise exception 'tenant "%" has no chain: open it first', this_tenant using errcode = 'LG004';
      end if;
      head_seq := asked.seq;
      head_link := asked.link;
      previous := asked.previous;
      -- Never backwards in a tenant, whatever the machine's clock does.
      head_at := greatest(asked.at, date_trunc('milliseconds', clock_timestamp()));
      at_text := to_char(head_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      -- The keys of the envelope in canonical order; the body is canonical by itself.
      opening := '{"at":"' || at_text || '","event":';
      seen_streams := null;
      seen_versions := null;
    end if;
    this_stream := streams[request];
    seen := array_position(seen_streams, this_stream);
    version := case when seen is null then asked.version else seen_versions[seen] end;

    if asked.known is not null then
      -- The caller tries again what it does not know to have succeeded: it gets the first answer.
      select x.seq, x.position, x.at, x.stream into last
        from ledger.event x where x.tenant = this_tenant and x.id = ids[start + counts[request] - 1];
      if last.seq is distinct from asked.known + counts[request] - 1 or last.stream <> this_stream then
        raise exception 'event id % was used by another append', ids[start] using errcode = 'LG006';
      end if;
      ok := true; first_seq := asked.known; last_seq := last.seq; last_position := last.position;
      stamped := to_char(last.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
      duplicate := true; actual := null;
    elsif expected[request] <> version then
      ok := false; first_seq := null; last_seq := null; last_position := null; stamped := null; duplicate := false;
      actual := version;
    else
      if t = 0 or moved_tenants[t] <> this_tenant then
        t := t + 1;
        moved_tenants[t] := this_tenant; moved_from[t] := head_seq; moved_ats[t] := head_at;
      end if;
      seq_from[request] := head_seq - start + 1;
      position_from[request] := version - start + 1;
      first_event[request] := start;
      before_first[request] := previous;
      ats[request] := head_at;
      first_seq := head_seq + 1;
      closing := ',"stream":"' || this_stream || '","tenant":"' || this_tenant || '","type":"';
      for k in start .. start + counts[request] - 1 loop
        envelopes[k] := opening || bodies[k] || (',"position":' || k + position_from[request] || ',"seq":'
          || k + seq_from[request] || closing || types[k] || '"}');
        leaves[k] := sha256('\x00'::bytea || textsend(envelopes[k]));
        head_link := sha256('\x01'::bytea || head_link || leaves[k]);
        links[k] := head_link;
      end loop;
      head_seq := head_seq + counts[request];
      version := version + counts[request];
      previous := head_seq;
      moved_to[t] := head_seq; moved_links[t] := head_link;
      ok := true; last_seq := head_seq; last_position := version; stamped := at_text; duplicate := false;
      actual := null;
      if seen is null then
        seen_streams := seen_streams || this_stream;
        seen_versions := seen_versions || version;
      else
        seen_versions[seen] := version;
      end if;
    end if;
    start := start + counts[request];
    return next;
  end loop;

  if t > 0 then
    -- The head first: where it moved, nothing else is tried.
    if t = 1 then
      update ledger.head set seq = moved_to[1], link = moved_links[1], at = moved_ats[1],
          contexts[coalesce(array_position(contexts, caller), cardinality(contexts) + 1)] = caller,
          context_seqs[coalesce(array_position(contexts, caller), cardinality(contexts) + 1)] = moved_to[1]
        where tenant = moved_tenants[1] and seq = moved_from[1];
    else
      update ledger.head h set seq = m.seq, link = m.link, at = m.at,
          contexts[coalesce(array_position(contexts, caller), cardinality(contexts) + 1)] = caller,
          context_seqs[coalesce(array_position(contexts, caller), cardinality(contexts) + 1)] = m.seq
        from unnest(moved_tenants, moved_from, moved_to, moved_links, moved_ats) m(tenant, before, seq, link, at)
        where h.tenant = m.tenant and h.seq = m.before;
    end if;
    get diagnostics moved = row_count;
    if moved <> t then
      raise exception 'the head of a chain moved under its lock' using errcode = '40001';
    end if;
    insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope, leaf,
        link, private, traceparent, tracestate)
      select tenant, k + seq_from, k + position_from, case when k = first_event then before_first else k + seq_from - 1 end,
        at, ids[k], caller, stream, types[k], envelopes[k], leaves[k], links[k], privates[k], traceparent, tracestate
      -- What the events of a request share is looked up once. Not unnest(): it writes down each of its arrays first.
      from (
        select tenants[r] as tenant, streams[r] as stream, traceparents[r] as traceparent, tracestates[r] as tracestate,
          first_event[r] as first_event, first_event[r] + counts[r] - 1 as last_event, seq_from[r] as seq_from,
          position_from[r] as position_from, before_first[r] as before_first, ats[r] as at
        from generate_series(1, cardinality(ats)) r offset 0
      ) accepted, generate_series(first_event, last_event) k;
  end if;
end $$;

-- Role and append in one statement, hence one round trip and no session state: works behind a transaction pooler.
-- Runs as invoker, so a login takes only a role that it was granted. Lists of texts and ids come as one text with a
-- value a line; taken apart here, it happens once the plan stands, not each time that one is made.
create function ledger.append_as(
  as_role text, tenants text, streams text, expected bigint[], counts int[], traceparents text[], tracestates text[],
  types text, ids text, bodies text, privates text[]
) returns table (
  request int, ok boolean, first_seq bigint, last_seq bigint, last_position bigint, stamped text, duplicate boolean,
  actual bigint
) language plpgsql as $$
declare
  ignored text;
begin
  ignored := set_config('role', as_role, true);
  return query select a.* from ledger.append(string_to_array(tenants, e'\n'), string_to_array(streams, e'\n'), expected,
    counts, traceparents, tracestates, string_to_array(types, e'\n'), string_to_array(ids, e'\n')::uuid[],
    string_to_array(bodies, e'\n'), privates) a;
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
