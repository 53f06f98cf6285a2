import { syncHttp } from '@attestry/contracts/http'
import { bind, type Guard, type Host, type Service } from '@attestry/kit'

/** Copies secrets to other clouds and proves which version is where. */
export function syncService(host: Host, guard: Guard): Service {
  return {
    name: 'sync',
    schema: new URL('./schema/', import.meta.url),
    fetch: bind(syncHttp, {}, guard, host.log),
    commands: [],
    reactions: [],
    views: [],
    schedules: [],
  }
}
