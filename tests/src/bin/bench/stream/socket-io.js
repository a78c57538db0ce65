// Socket.IO as its guide has it: what is published is emitted to everyone.
const { Server } = require('socket.io');
const http = require('node:http');
const net = require('node:net');

const server = http.createServer();
const io = new Server(server, { serveClient: false, transports: ['websocket'] });
const publishers = net.createServer((publisher) => {
  let rest = '';
  publisher.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) io.emit('e', JSON.parse(line));
  });
});
server.listen(0, '127.0.0.1', () => {
  publishers.listen(0, '127.0.0.1', () => console.log(server.address().port, publishers.address().port));
});
