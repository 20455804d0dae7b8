// Waits for everything that the page needs: its picture and its style, which the
// load event follows, and a file that it asks for by itself.
function get(path) {
	const request = new XMLHttpRequest();
	request.open("GET", path, false);
	request.send();
	return request.status + " " + request.responseText.trim();
}
const answers = [get("/hello"), get("/missing"), get("/hello?" + "x".repeat(2000))];
addEventListener("load", () => {
	const picture = document.getElementById("picture");
	document.getElementById("said").textContent = answers.join(", ") + ", style " +
		getComputedStyle(document.querySelector("h1")).width + ", picture " + picture.naturalWidth + "x" + picture.naturalHeight;
});
