// The request listener of both http.Servers: says what examples/http-hello does, with Content-Length.
export function hello(request, response) {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`hello ${request.url.slice(1) || 'world'}\n`);
}
