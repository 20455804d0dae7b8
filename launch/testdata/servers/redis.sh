dir=$1 port=$2
redis-server --port $port --bind 127.0.0.1 --save '' --dir $dir > $dir/log & server=$!
for i in $(seq 1000); do redis-cli -p $port ping > $dir/out 2>&1 && grep -q PONG $dir/out && break; sleep 0.05; done
redis-cli -p $port set a 5; redis-cli -p $port incr a
redis-cli -p $port client list | grep -o " laddr=127.0.0.1:$port " | head -1 | sed s/$port/port/
redis-cli -p $port shutdown nosave; wait $server; echo $?
