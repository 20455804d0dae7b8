// An HTTP server that tells the addresses that it sees.
require("http").createServer((request, answer) => {
	let length = 0;
	request.on("data", part => length += part.length);
	request.on("end", () => answer.end(`${request.method} ${length} ${request.socket.localAddress} ${request.socket.remoteAddress}\n`));
}).listen(Number(process.argv[2]), "127.0.0.1");
