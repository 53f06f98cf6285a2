/** Tables of the registry, oldest step first. A released step is never edited: the next one corrects it. */
export const STEPS: readonly string[] = [
  `create table license (
     license text primary key, tier text not null, state text not null, expires_at text not null, installs integer,
     trial integer not null, customer text, contact text, issued_at text not null, revoked_at text
   );
   create index license_by_contact on license (contact);
   create index license_by_end on license (expires_at);
   create table license_key (
     digest text primary key, license text not null, prefix text not null, since text not null, until text
   );
   create index key_by_license on license_key (license);
   create table seat (
     license text not null, install text not null, since text not null, primary key (license, install)
   ) without rowid;
   create table validation (at text not null, key_digest text not null, verdict text not null, version text not null);
   create index validation_by_time on validation (at);
   create table audit (
     id integer primary key, at text not null, by_name text not null, role text not null, action text not null,
     license text, detail text not null
   );
   create index audit_by_license on audit (license);
   create table notice (
     license text not null, expires_at text not null, kind text not null, at text not null,
     primary key (license, expires_at, kind)
   ) without rowid;
   create table trial (email_digest text not null, at text not null, license text not null);
   create index trial_by_email on trial (email_digest);
   create table day (day text primary key, installs integer not null, totals text not null) without rowid;
   create table pending (digest text primary key, change integer not null, put_at integer not null) without rowid;`,
  `create table done (mark text primary key, asked text not null, at text not null) without rowid;`,
]
