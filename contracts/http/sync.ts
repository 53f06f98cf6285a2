import { endpoints } from './endpoint.ts'

export const syncHttp = endpoints({})
