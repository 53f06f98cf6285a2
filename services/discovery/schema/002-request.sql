-- Scans that were asked for. No fold: it is what people and schedules wanted, written with the command that does it.
create table scan_request (
  tenant       text        not null,
  scan         text        not null,
  environment  text        not null,
  trigger      text        not null,
  requested_at timestamptz not null,
  cancelled_by jsonb,
  primary key (tenant, scan)
);
create index scan_request_by_environment on scan_request (tenant, environment, requested_at desc);
