// Run by deflate.py with `node -e`: each job is a connection to be held a conversation over, as a
// client or, with `serve`, as the server of one.
const {WebSocket, WebSocketServer} = require('ws'), crypto = require('crypto');
const jobs = JSON.parse(process.argv[1]), serving = process.argv[2] === 'serve';
const say = it => process.stdout.write(JSON.stringify(it) + '\n');
function expect(condition, what) { if (!condition) throw new Error(what); }

function* messages(size) {
    const words = Buffer.from('frame payload größe 長さ '.repeat(size / 20 + 1)).subarray(0, size);
    const text = words.toString().replace(/\ufffd+$/, '');
    yield Buffer.from(text + '.'.repeat(size - Buffer.byteLength(text))).toString();
    yield Buffer.alloc(size, 'abcdefg');
    const noise = crypto.randomBytes(size);
    yield Buffer.from(noise.map(byte => 32 + byte % 95)).toString();
    yield noise;
}

async function converse(ws, {takeover, bits, sizes}) {
    const {params} = ws._extensions['permessage-deflate'], next = [], waiting = [];
    const wanted = {
        server_max_window_bits: bits, client_max_window_bits: bits,
        server_no_context_takeover: !takeover, client_no_context_takeover: !takeover};
    for (const [name, value] of Object.entries(wanted)) {
        const found = params[name] ?? (name.endsWith('bits') ? 15 : false);
        const told = found === true && value === 15 ? 15 : found;
        expect(told === value, `agreed to ${JSON.stringify(params)} at ${bits} bits, ${takeover}`);
    }
    ws.on('message', (data, binary) => waiting.shift()([data, binary]));
    const trip = async (message, step) => {
        const before = ws._socket.bytesRead, binary = typeof message !== 'string';
        const sent = Buffer.from(message), answer = new Promise(done => waiting.push(done));
        if (step) {
            for (let at = 0; at === 0 || at < sent.length; at += step)
                ws.send(sent.subarray(at, at + step), {binary, fin: at + step >= sent.length});
        } else ws.send(sent, {binary});
        const [found, was] = await answer;
        expect(was === binary && sent.equals(found), `another message came back than of ${sent.length}`);
        return ws._socket.bytesRead - before;
    };
    const once = crypto.randomBytes(200);
    await trip(once);
    const again = await trip(once);
    expect(takeover ? again < 50 : again > 200, `${again} bytes for 200 known ones`);
    let total = 0;
    for (const size of sizes) for (const message of messages(size)) {
        const length = await trip(message);
        expect(size < 1000 || message.slice(0, 5) !== 'frame' || length < size / 4,
            `${length} bytes for text of ${size}`);
        await trip(message, Math.max(1, size / 5 | 0));
        total += 2;
    }
    return total;
}

const judged = (job, ws) => converse(ws, job).then(
    total => say({...job, total}), error => say({...job, error: error.message}));

if (serving) {
    const options = {host: '127.0.0.1', port: 0, maxPayload: 0, perMessageDeflate: {threshold: 0}};
    const server = new WebSocketServer(options, () => say(server.address().port));
    server.on('connection', (ws, request) => {
        const [, name, path] = request.url.split('/');
        if (path === 'getCaseCount') ws.send('1');
        (path.startsWith('runCase') ? judged(jobs[name], ws) : Promise.resolve())
            .then(() => ws.close());
    });
} else (async () => {
    for (const job of jobs) await new Promise(done => {
        const perMessageDeflate = {
            threshold: 0, serverMaxWindowBits: job.bits, clientMaxWindowBits: job.bits,
            serverNoContextTakeover: !job.takeover, clientNoContextTakeover: !job.takeover};
        const ws = new WebSocket(job.url, {perMessageDeflate, maxPayload: 0});
        ws.on('open', () => judged(job, ws).then(() => ws.close()));
        ws.on('error', error => { say({...job, error: error.message}); done(); });
        ws.on('close', done);
    });
})();
