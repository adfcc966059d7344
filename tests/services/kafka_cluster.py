"""Several brokers of Apache Kafka as one cluster: every record on all, none lost with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.services.kafka import Kafka, Place, new_cluster_id
from tests.services.ports import free_ports


class KafkaCluster:
    """`size` brokers with their data below `folder`. Not started when made.

    Records are kept by all brokers, and acknowledged once all but one have them. `advertised`
    are the ports at which clients reach the brokers, if proxies stand before them; `ports`
    then are where the proxies find them.
    """

    def __init__(
        self,
        folder: Path,
        size: int = 3,
        *,
        ports: Sequence[int] = (),
        advertised: Sequence[int] = (),
    ) -> None:
        ports = ports or free_ports(size)
        within = free_ports(2 * size)
        cluster_id = new_cluster_id()
        places = [
            Place(
                node=node,
                cluster_id=cluster_id,
                controllers=within[size:],
                port=port,
                within=within[node - 1],
                advertised=advertised[node - 1] if advertised else port,
                replicas=size,
                in_sync=max(1, size - 1),
            )
            for node, port in enumerate(ports, 1)
        ]
        with ThreadPoolExecutor(size) as pool:  # each takes a second to format its folder
            self.brokers = list(pool.map(lambda p: Kafka(folder / str(p.node), p), places))

    @property
    def bootstrap(self) -> str:
        """The brokers' own addresses, past any proxy."""
        return ",".join(broker.address for broker in self.brokers)

    def start(self, within_s: float = 90.0) -> None:
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_until_up(within_s)

    def kill(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def leader_of(self, topic: str, partition: int = 0, within_s: float = 60.0) -> int:
        """The node that leads a partition. Raises TimeoutError when none does for long."""

        def ask(admin: KafkaAdminClient) -> int:
            (described,) = admin.describe_topics([topic])
            leaders = {p["partition_index"]: p["leader_id"] for p in described["partitions"]}
            return int(leaders.get(partition, 0))

        return self._ask(ask, f"a leader of {topic}:{partition}", within_s)

    def controller(self, within_s: float = 60.0) -> int:
        """The node that leads the cluster's metadata now. Raises TimeoutError."""

        def ask(admin: KafkaAdminClient) -> int:
            (topic,) = admin.describe_metadata_quorum()["topics"]
            return int(topic["partitions"][0]["leader_id"])

        return self._ask(ask, "a controller", within_s)

    def _ask(self, ask: Callable[[Any], int], what: str, within_s: float) -> int:
        """Ask until the answer is a node (they count from 1), through whoever is up."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            try:
                admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","))
                try:
                    node = ask(admin)
                finally:
                    admin.close()
            except (KafkaError, OSError):
                node = 0
            if node > 0:
                return node
            time.sleep(0.2)
        raise TimeoutError(f"the cluster at {self.bootstrap} has not {what} for {within_s:g} s")
