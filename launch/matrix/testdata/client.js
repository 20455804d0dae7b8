// Fetches, a keep-alive agent, half-closed streams, a refused connect, datagrams.
const [host, web, echo, refused] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const dgram = require("dgram"), dns = require("dns"), http = require("http"), net = require("net");
net.setDefaultAutoSelectFamilyAttemptTimeout?.(20000); // a refusal may take its time

function request(agent) {
	return new Promise((done, failed) => http.get({host, port: web, path: "/hello", agent}, answer => {
		let body = "";
		answer.on("data", part => body += part);
		answer.on("end", () => done(answer.statusCode + " " + body.trim()));
	}).on("error", failed));
}

function halfClosed() {
	return new Promise((done, failed) => {
		const socket = net.connect({host, port: web, allowHalfOpen: true});
		let answer = "";
		socket.on("data", part => answer += part);
		socket.on("end", () => done(answer.split("\r\n").pop().trim()));
		socket.on("error", failed);
		socket.end("GET /hello HTTP/1.0\r\n\r\n");
	});
}

async function datagrams() {
	const to = (await dns.promises.lookup(host, 4)).address;
	const socket = dgram.createSocket("udp4");
	const got = [];
	await new Promise((done, failed) => {
		socket.on("error", failed);
		socket.on("message", (message, from) => {
			got.push(message.length + " " + (from.address === to && from.port === echo));
			if (got.length === 3) done();
		});
		for (const size of [1, 512, 1400]) socket.send(Buffer.alloc(size), echo, to);
	});
	socket.close();
	return got.sort();
}

(async () => {
	const url = `http://${host}:${web}`;
	const texts = await Promise.all(Array.from({length: 20}, () => fetch(url + "/hello").then(r => r.text())));
	console.log([...new Set(texts)]);
	console.log(await (await fetch(url + "/hash", {method: "POST", body: "node".repeat(1 << 20)})).text());
	const agent = new http.Agent({keepAlive: true, maxSockets: 2});
	console.log(new Set(await Promise.all(Array.from({length: 10}, () => request(agent)))));
	agent.destroy();
	console.log(await halfClosed());
	await fetch(`http://${host}:${refused}/`).catch(e => console.log(e.cause.code));
	console.log(await datagrams());
	process.exit(0);
})();
