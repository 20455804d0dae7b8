exec node -e '
const http = require("http");
const s = http.createServer((q, r) => r.end(q.socket.remoteAddress + " " + (q.socket.localPort === s.address().port)));
s.listen(0, "127.0.0.1", async () => {
	const get = () => new Promise((done, fail) => http.get({port: s.address().port, host: "127.0.0.1", agent: false}, r => {
		let t = ""; r.on("data", d => t += d); r.on("end", () => done(t)); }).on("error", fail));
	console.log((await Promise.all(Array.from({length: 10}, get))).join(" "));
	s.close();
});'
