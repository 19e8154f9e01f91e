// Socket.IO over WebSocket: a client joins the room of its query, POST /pub?channel=NAME emits to it.
import http from 'node:http';
import { Server } from 'socket.io';

const server = http.createServer(async (request, response) => {
    const channel = new URL(request.url, 'http://localhost').searchParams.get('channel');
    let body = '';
    for await (const part of request) body += part;
    io.to(channel).emit('m', body);
    response.end();
});
// No ping falls into a measurement: its readers would have to answer.
const io = new Server(server, { transports: ['websocket'], pingInterval: 3600000 });
io.on('connection', (socket) => socket.join(socket.handshake.query.channel));
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 },
    () => console.log('ready'));
