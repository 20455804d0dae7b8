dir=$1 port=$2
cat > $dir/conf <<EOF
daemon off; worker_processes 2; pid $dir/pid; error_log $dir/error;
events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:$port; location / { return 200 "hello \$remote_addr\n"; } } }
EOF
nginx -c $dir/conf -e $dir/error & server=$!
for i in $(seq 1000); do curl -s -o $dir/out http://127.0.0.1:$port/ && break; sleep 0.05; done
for i in 1 2 3 4 5; do curl -sS http://127.0.0.1:$port/; done
kill -QUIT $server; wait $server; echo $?
