# Kafka and ZooKeeper from their jars, with users, folders, variables and commands as in the images they stand in for.
FROM python:3.12.13-slim-trixie AS java
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-21-jre-headless wget && \
    rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home appuser
COPY --from=jars . /opt/jars
COPY --chmod=755 java-main properties /usr/local/bin/
WORKDIR /home/appuser

FROM java AS zookeeper
RUN install --directory --owner=appuser /var/lib/zookeeper/data /var/lib/zookeeper/log
COPY --chmod=755 start-zookeeper /usr/local/bin/
USER appuser
VOLUME ["/var/lib/zookeeper/data", "/var/lib/zookeeper/log"]
CMD ["start-zookeeper"]

FROM java AS broker
RUN install --directory --owner=appuser /var/lib/kafka/data
COPY --chmod=755 kafka-topics start-kafka /usr/local/bin/
VOLUME ["/var/lib/kafka/data"]
CMD ["start-kafka"]

FROM broker AS kafka
USER appuser

FROM broker AS kraft
COPY --chmod=755 connect-standalone /usr/local/bin/
RUN mkdir -p /opt/kafka/bin && ln -s /opt/jars /opt/kafka/libs && for name in kafka-topics connect-standalone; do \
        ln -s "/usr/local/bin/$name" "/opt/kafka/bin/$name.sh"; \
    done
USER appuser
