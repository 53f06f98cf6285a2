-- Row-level security, the same for every table of the product, and the grants of a service's role.

-- Lets a role see one tenant's rows in every table of a schema: the tenant that its transaction names.
-- A table without `tenant text not null` is refused: what has no tenant cannot be kept apart.
create function ledger.protect(schema_name text, role_name text) returns void language plpgsql as $$
declare
  item record;
begin
  execute format('grant usage on schema %I to %I', schema_name, role_name);
  for item in
    select c.oid, c.relname,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant'
        and a.attnotnull and a.atttypid = 'text'::regtype) as has_tenant,
      exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'one_tenant') as has_policy
    from pg_class c where c.relnamespace = schema_name::regnamespace and c.relkind in ('r', 'p')
  loop
    if not item.has_tenant then
      raise exception 'table %.% has no column "tenant text not null"', schema_name, item.relname;
    end if;
    execute format('alter table %I.%I enable row level security', schema_name, item.relname);
    execute format('alter table %I.%I force row level security', schema_name, item.relname);
    if not item.has_policy then
      execute format($policy$create policy one_tenant on %I.%I
        using (tenant = nullif(current_setting('attestry.tenant', true), ''))$policy$, schema_name, item.relname);
      execute format('create policy owner on %I.%I to attestry_owner using (true) with check (true)',
        schema_name, item.relname);
    end if;
    if schema_name <> 'ledger' then
      execute format('grant select, insert, update, delete on %I.%I to %I', schema_name, item.relname, role_name);
    end if;
  end loop;
  if schema_name <> 'ledger' then
    execute format('grant usage on all sequences in schema %I to %I', schema_name, role_name);
  end if;
end $$;
revoke execute on function ledger.protect from public;
