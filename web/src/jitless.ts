import { config } from 'zod'

// zod compiles parsers with `new Function` where it may; our content security policy forbids that, and even
// trying is reported as a violation. This module must run before any schema is made.
config({ jitless: true })
