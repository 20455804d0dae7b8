dir=$1 port=$2
echo content > $dir/file
python3 -m http.server --directory $dir --bind 127.0.0.1 $port > $dir/log 2>&1 & server=$!
for i in $(seq 1000); do curl -s -o $dir/out http://127.0.0.1:$port/file && break; sleep 0.05; done
for i in 1 2 3 4 5; do curl -sS http://127.0.0.1:$port/file; done
kill $server; wait $server 2> /dev/null; echo $? # the shell says of its own that it was terminated, or not
