import {
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

/*
 * A span and a duration for each request, named as the semantic conventions of OpenTelemetry have it
 * (https://opentelemetry.io/docs/specs/semconv/http/). Paths hold opaque ids alone; queries and bodies are never noted.
 */

/**
 * Answers a request within a span. The trace goes on from the caller's where the caller is our gateway; a stranger's
 * is not taken over.
 * @param believed whether the request's own `traceparent` counts
 */
export function observed(
  request: Request,
  believed: boolean,
  answer: () => Promise<Response>,
): Promise<Response> {
  const tracer = trace.getTracer('attestry')
  const duration = metrics.getMeter('attestry').createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Time to the answer’s headers.',
  })
  const { method } = request
  const parent = believed
    ? propagation.extract(ROOT_CONTEXT, Object.fromEntries(request.headers))
    : context.active()
  const attributes = { 'http.request.method': method, 'url.path': new URL(request.url).pathname }
  const began = performance.now()
  return tracer.startActiveSpan(method, { kind: SpanKind.SERVER, attributes }, parent, async (span) => {
    let status = 500
    try {
      const response = await answer()
      status = response.status
      return response
    } finally {
      span.setAttribute('http.response.status_code', status)
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
      duration.record((performance.now() - began) / 1000, {
        'http.request.method': method,
        'http.response.status_code': status,
      })
    }
  })
}
