create table seen (tenant text not null, seq bigint not null, type text not null, primary key (tenant, seq));
