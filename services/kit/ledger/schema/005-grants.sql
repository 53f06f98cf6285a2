select ledger.protect('ledger', 'attestry_ledger');
-- The kit's own role sees every tenant: it relays, verifies and lists them. Services see the one they name.
create policy keeper on ledger.event to attestry_ledger using (true);
create policy keeper on ledger.head to attestry_ledger using (true);
create policy keeper on ledger.tenant to attestry_ledger using (true);
create policy keeper on ledger.lease to attestry_ledger using (true) with check (true);
create policy keeper on ledger.relay_cursor to attestry_ledger using (true) with check (true);
grant select on ledger.event, ledger.head, ledger.tenant to attestry_ledger;
grant select, insert, update, delete on ledger.lease, ledger.relay_cursor to attestry_ledger;
grant execute on function ledger.open_tenant, ledger.erase to attestry_ledger;
-- append() gives nothing by itself: it asks for a role that the login may take and that was admitted, or fails.
grant usage on schema ledger to public;
revoke all on function ledger.append from public;
grant execute on function ledger.append to public;

-- What a service's role may do in the ledger: read the tenant that its transaction names, and append, which asks for that.
create function ledger.admit(role_name text) returns void language plpgsql as $$
begin
  execute format('grant usage on schema ledger to %I', role_name);
  execute format('grant select on ledger.event, ledger.head, ledger.tenant to %I', role_name);
end $$;
revoke execute on function ledger.admit from public;
