# SecantusDB, which speaks MongoDB's protocol, with users, folders, variables and commands as in the image of MongoDB.
FROM python:3.12.13-slim-trixie
ARG SECANTUSDB
RUN pip install --no-cache-dir "secantusdb==$SECANTUSDB" pymongo
RUN useradd --uid 999 mongodb && install --directory --owner=mongodb /data/db /data/configdb
COPY --chmod=755 docker-entrypoint.sh mongosh /usr/local/bin/
VOLUME ["/data/db", "/data/configdb"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod"]
