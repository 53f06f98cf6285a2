import { endpoints } from './endpoint.ts'

export const rotationHttp = endpoints({})
