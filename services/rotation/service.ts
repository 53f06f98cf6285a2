import { rotationHttp } from '@attestry/contracts/http'
import { bind, type Guard, type Host, type Service } from '@attestry/kit'

/** Replaces credentials before they end, without an outage. */
export function rotationService(host: Host, guard: Guard): Service {
  return {
    name: 'rotation',
    schema: new URL('./schema/', import.meta.url),
    fetch: bind(rotationHttp, {}, guard, host.log),
    commands: [],
    reactions: [],
    views: [],
    schedules: [],
  }
}
