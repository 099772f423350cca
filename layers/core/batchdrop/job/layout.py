"""The keys of a job's objects in the bucket."""

from dataclasses import dataclass
from datetime import datetime


def cache_history(recipe_name: str) -> str:
    """Return the key of what a recipe's earlier jobs read from the prompt cache."""
    return f"jobs/prompt-cache/{recipe_name}.json"


@dataclass(frozen=True, slots=True)
class JobKeys:
    """The keys under `jobs/<job_id>/`. Shards and rounds count from 0."""

    job_id: str

    def _key(self, rest: str) -> str:
        return f"jobs/{self.job_id}/{rest}"

    @property
    def manifest(self) -> str:
        """Return the key of the job's manifest, which exists once the whole file is split."""
        return self._key("manifest.json")

    @property
    def split(self) -> str:
        """Return the key of the manifest of an unfinished split."""
        return self._key("split.json")

    @property
    def shards(self) -> str:
        """Return the key of the array that the Distributed Map reads."""
        return self._key("shards.json")

    @property
    def sample(self) -> str:
        """Return the key of the array that the Map reads first, if the recipe has a sample."""
        return self._key("sample.json")

    @property
    def pilot(self) -> str:
        """Return the key of the array that the Map reads first, if the job has a pilot."""
        return self._key("pilot.json")

    @property
    def primer(self) -> str:
        """Return the key of the array that the Map reads next, if a shard primes the prompt cache."""
        return self._key("primer.json")

    @property
    def probe(self) -> str:
        """Return the key of the array that the Map reads after the primer, before all shards."""
        return self._key("probe.json")

    @property
    def cache_mark(self) -> str:
        """Return the key of the mark that a primed job's requests get while they are sent."""
        return self._key("cache_mark.json")

    @property
    def answer_store(self) -> str:
        """Return the key of the job's view of the answer store. It is written once."""
        return self._key("answer_store.json")

    @property
    def showing(self) -> str:
        """Return the key of the latest showing's note: only that showing may write the sample."""
        return self._key("showing.json")

    @property
    def closing(self) -> str:
        """Return the key of the latest closing's note: only that closing may write the job's outputs."""
        return self._key("closing.json")

    @property
    def retry(self) -> str:
        """Return the key of a version's order: which rows are sent again, and how. It is written once."""
        return self._key("retry.json")

    def retried_rows(self, digest: str) -> str:
        """Return the key of the rows that a version sends again, as lines of `failed.jsonl`."""
        return self._key(f"retried-{digest}.jsonl")

    @property
    def all_answers(self) -> str:
        """Return the prefix of all answers' keys. A live round's flushes have a folder of their own in it."""
        return self._key("answers/")

    @property
    def all_parts(self) -> str:
        """Return the prefix of all parts' keys."""
        return self._key("parts/")

    def requests(self, shard: int, round_number: int = 0) -> str:
        """Return the key of one shard's create body. A later round's body has only the leftovers."""
        return self._key(f"shards/{shard:05d}.{f'r{round_number}.' if round_number else ''}requests.json")

    def packs(self, shard: int, round_number: int) -> str:
        """Return the key of what a round's packs are: which rows share a request."""
        return self._key(f"shards/{shard:05d}.r{round_number}.packs")

    def run(self, number: int) -> str:
        """Return the key of some rows' requests, sorted by group, in a job that groups its rows."""
        return self._key(f"groups/{number:05d}.run")

    def places(self, shard: int) -> str:
        """Return the key of where the rows of a grouped job's shard stand in the file, and which group each is in."""
        return self._key(f"shards/{shard:05d}.places")

    def rows(self, shard: int) -> str:
        """Return the key of one shard's input rows."""
        return self._key(f"shards/{shard:05d}.rows.jsonl")

    def digests(self, shard: int) -> str:
        """Return the key of the digests of one shard's requests, in a job whose shards share answers."""
        return self._key(f"shards/{shard:05d}.digests")

    def sidecar(self, shard: int) -> str:
        """Return the key of the rows' exact values, for formats whose rows are not text."""
        return self._key(f"shards/{shard:05d}.rows.exact")

    def answers(self, shard: int, round_number: int) -> str:
        """Return the key of one round's result lines, unchanged from the API. It is written once."""
        return self._key(f"answers/{shard:05d}.r{round_number}.jsonl")

    def remembered(self, shard: int) -> str:
        """Return the key of a shard's answers from the answer store, as result lines; only shards with some have it."""
        return self._key(f"answers/{shard:05d}.m.jsonl")

    def arrived_answers(self, shard: int, round_number: int) -> str:
        """Return the key of the result lines that arrived in a round whose results are incomplete."""
        return self._key(f"answers/{shard:05d}.r{round_number}.arrived.jsonl")

    def read_again(self, shard: int) -> str:
        """Return the key of the result lines that a resume read again, of all rounds of a shard."""
        return self._key(f"answers/{shard:05d}.again.jsonl")

    def live_answers(self, shard: int, round_number: int, slice_number: int | None = None) -> str:
        """Return the prefix of the keys of a live round's flushes: of one slice, or of all."""
        of_slice = "" if slice_number is None else f"{slice_number:05d}-"
        return self._key(f"answers/{shard:05d}.r{round_number}.live/{of_slice}")

    def live_flush(self, shard: int, round_number: int, slice_number: int, attempt: str, flush: int) -> str:
        """Return the key of one flush: some of a slice's result lines. `attempt` keeps two workers' flushes apart."""
        return f"{self.live_answers(shard, round_number, slice_number)}{attempt}-{flush:05d}.jsonl"

    def part(self, shard: int, rounds: int, extension: str, *, reading: str = "", sample: str = "") -> str:
        """Return the key of one shard's part, joined from the answers of `rounds` rounds; also for `failed.jsonl`.

        Joins of the same rounds write the same bytes, so a late, superseded join does no harm. A join that also has
        results that were read again has the key of this `reading`: a late join may know an earlier one, or none. So has
        a join with answers of the random `sample`, of which it has the version.
        """
        of = f"{reading and f'.again-{reading}'}{sample and f'.sample-{sample}'}"
        return self._key(f"parts/{shard:05d}.r{rounds - 1}{of}.{extension}")

    def part_of_closing(self, shard: int, began: datetime, extension: str) -> str:
        """Return the key of a part that one closing of the job makes for its own use."""
        return self._key(f"parts/{shard:05d}.closed-{began:%Y%m%dT%H%M%S%fZ}.{extension}")

    def part_tally(self, shard: int, rounds: int, *, reading: str = "") -> str:
        """Return the key of that part's tally. It is written last, so it proves that the part is complete."""
        return self.part(shard, rounds, "tally.json", reading=reading)
