// What Pushpin asks at the opening of a stream: hold it, on the channel of its query.
import http from 'node:http';

http.createServer((request, response) => {
    const channel = new URL(request.url, 'http://localhost').searchParams.get('channel');
    response.writeHead(200, {
        'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream', 'Grip-Channel': channel,
    });
    response.end(': hi\n\n');
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 },
    () => console.log('ready'));
