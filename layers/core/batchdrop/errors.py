"""Every error batchdrop raises on purpose. The class names are the names in the ASL's Retry and Catch.

BatchdropError
├── JobFault                 the user can mend it; the job ends red before anything is spent
│   ├── UploadRejected       the file, or one row of it under `on_bad_row: stop`
│   ├── RecipeRejected       the recipe
│   ├── PricesRejected       the user's own price table
│   ├── TooExpensive         the estimate is above the recipe's `max_cost_usd`
│   └── NothingToAsk         every row was rejected
├── AccountTrouble           key, billing or permission; waiting does not help
├── BudgetReached            the next round might pass the recipe's `max_cost_usd`: the job asks nothing more
├── JobFailed                a job's end, when it is red
├── JobCanceled              the user canceled the job
├── JobNotApproved           nobody approved the sample in time; what halts the job
├── SampleFailed             the sample has no answers to show; likewise
├── JobClosedSince           a later attempt closes the job; only one that was given up for dead meets it
├── DeadlinePassed           `finish_within` is over before the shard was sent: the live lane takes it
├── SubmissionRefused        the API said no and created nothing
├── SubmissionUncertain      a create whose outcome nobody knows: never posted again
├── SubmissionUnsettled      … and which could not be told however long it was looked for
├── RateLimited              the API said: later
├── CountRefused             the API does not count a request's tokens: what is wrong with it would fail it, too
├── ApiUnavailable           a read failed for a passing reason; safe to repeat
├── AwsUnavailable           AWS throttled a call, failed or was out of reach; safe to repeat
├── MessageBatchLost         the API does not know the Message Batch
├── ResultsIncomplete        fewer results than the Message Batch counted
├── ResultsForeign           results offered from a host that is not the API's
├── SliceBusy                another worker asks the slice already
├── LedgerContended          others wrote the same item of the ledger each time; safe to repeat
├── InvariantBroken          a row went missing between two steps: our defect, never the user's
└── SplitTooSlow             one shard does not fit into one invocation
"""


class BatchdropError(Exception):
    """Base of all."""


class JobFault(BatchdropError):
    """What the user gave cannot become a job; the message says what, where, and what to do."""


class UploadRejected(JobFault):
    """The dropped file cannot be read as rows."""


class RecipeRejected(JobFault):
    """The recipe is missing, broken, or does not fit the file."""


class PricesRejected(JobFault):
    """The user's own price table is broken."""


class TooExpensive(JobFault):
    """The job would cost more than its recipe allows, or nobody can tell whether it would: nothing is sent."""


class NothingToAsk(JobFault):
    """No row of the file could become a request."""


class AccountTrouble(BatchdropError):
    """Authentication, billing, permission or spend limit: stop asking and tell the user."""


class BudgetReached(BatchdropError):
    """Nothing is under way, and what is asked next might pass `max_cost_usd`: a proper end, with what is there."""


class JobFailed(BatchdropError):
    """The job is closed and its end is red; raised last, so that a redriven execution can go on from there."""


class JobCanceled(BatchdropError):
    """The user canceled the job: ask nothing more, keep what was answered."""


class JobNotApproved(BatchdropError):
    """The sample was shown, and nobody approved it in time: the rest is not asked."""


class SampleFailed(BatchdropError):
    """The sample's shard failed, so there is nothing to show: the rest is not asked."""


class JobClosedSince(BatchdropError):
    """An attempt that began later closes the job, or has: this one, given up for dead, must not write any more."""


class DeadlinePassed(BatchdropError):
    """The job is late, and this shard was not sent yet: it goes to the live lane instead."""


class SubmissionRefused(BatchdropError):
    """A create was refused cleanly: nothing was created, nothing will be billed."""


class SubmissionUncertain(BatchdropError):
    """A create was sent and its answer never came: it may exist and be billed. Never post it again."""


class SubmissionUnsettled(BatchdropError):
    """Looked for as long as makes sense, and still nobody can tell what a create became: it may exist and be billed.

    Nothing was posted again. The message names what could not be told apart; resuming the job looks again.
    """


class RateLimited(BatchdropError):
    """429 or 529 on a call that did nothing; repeat it later."""


class CountRefused(BatchdropError):
    """The API refuses to count a request: an unknown model, or a prompt that it would not answer either."""


class ApiUnavailable(BatchdropError):
    """A call without side effects failed for a passing reason (network, 5xx)."""


class AwsUnavailable(BatchdropError):
    """AWS throttled a call, failed with a 5xx or was out of reach, and the SDK's own retries are used up.

    The call may have taken effect. Every function can be repeated after it.
    """


class MessageBatchLost(BatchdropError):
    """The API answers 404 for a Message Batch long after its creation."""


class ResultsIncomplete(BatchdropError):
    """The results held fewer answers than the Message Batch counted: fetch them again."""


class ResultsForeign(BatchdropError):
    """`results_url` points away from the API's own host: the key is not sent there."""


class SliceBusy(BatchdropError):
    """Another worker holds the slice's lease: come back when it has ended, or the lease has run out."""


class LedgerContended(BatchdropError):
    """An item of the ledger that all shards share was written by others however often it was tried."""


class InvariantBroken(BatchdropError):
    """rows in = answered + failed + rejected does not hold."""


class SplitTooSlow(BatchdropError):
    """An invocation ended without completing a single shard, so going on would never end."""


class RowRejected(Exception):  # a fate of one row, caught where rows are read; never leaves the use case
    """This row cannot become a request; the message is the reason that the user reads."""
