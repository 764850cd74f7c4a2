#!/bin/sh
# As MongoDB's image does: at the first start a server that only localhost reaches makes the user, and only if there is
# one a password is asked for from then on. Options of mongod are not known here, and there is one server to a database.
set -eu
serve() {
    HOME=/data/configdb exec setpriv --reuid=mongodb --regid=mongodb --clear-groups \
        python3 -m secantus --standalone --log-level WARNING --cache-size 128M --storage-path /data/db --port 27017 "$@"
}
chown -R mongodb /data
user=/data/db/user-made
if [ -n "${MONGO_INITDB_ROOT_USERNAME:-}" ] && [ ! -e $user ]; then
    (serve --host 127.0.0.1) &
    mongosh --host 127.0.0.1 --eval stand-in:make-user
    kill $!
    wait $! || true
    touch $user
fi
if [ -e $user ]; then
    serve --host 0.0.0.0 --auth
else
    serve --host 0.0.0.0
fi
