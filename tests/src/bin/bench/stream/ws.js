// The broadcast server of the README of `ws`: what a publisher says goes to every client.
// With the word "batched", what came within 20 ms goes as one message, as the stream does it.
const { WebSocketServer, WebSocket } = require('ws');
const net = require('node:net');

const batched = process.argv[1] === 'batched';
const clients = new WebSocketServer({ port: 0, host: '127.0.0.1' });
const send = (text) => {
  // Made into bytes once, not once for every client.
  const data = Buffer.from(text);
  for (const client of clients.clients) if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
};
let waiting = [];
const flush = () => {
  const number = (event) => Number(event.slice(event.indexOf('"id":"') + 6).slice(0, 10));
  const [first, last] = [number(waiting[0]), number(waiting.at(-1))];
  send(`[${first},${last},${waiting.join(',')}]`);
  waiting = [];
};
const take = (event) => {
  if (!batched) return send(event);
  if (waiting.push(event) === 1) setTimeout(flush, 20);
};
const publishers = net.createServer((publisher) => {
  let rest = '';
  publisher.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    lines.forEach(take);
  });
});
clients.on('listening', () => {
  publishers.listen(0, '127.0.0.1', () => console.log(clients.address().port, publishers.address().port));
});
