"""The errors that batchdrop raises on purpose. The state machine's Retry and Catch use the class names.

BatchdropError
├── JobFault                 the user can fix it; the job fails before anything is spent
│   ├── UploadRejected       the file, or one row of it under `on_bad_row: stop`
│   ├── RecipeRejected       the recipe
│   ├── PricesRejected       the user's own price table
│   ├── TooExpensive         the estimate is above the recipe's `max_cost_usd`
│   ├── JobExpired            the records of what a job has sent have expired; it cannot be resumed
│   ├── RetryRefused          rows of a job cannot be sent again: answered, unknown, or `max_cost_usd` is spent
│   ├── AnswerStoreDamaged    a file of the answer store is cut or changed
│   └── NothingToSend         every row was rejected
├── AccountTrouble           key, billing or permission; waiting does not help
├── BudgetReached            the next round might exceed the recipe's `max_cost_usd`: the job sends nothing more
├── JobFailed                the end of a failed job
├── NothingAnswered          rows were sent, and none was answered: the job is closed red
├── TooFewAnswered           fewer rows were answered than the recipe's `fail_if` allows: the job is closed red
├── JobCanceled              the user canceled the job
├── JobNotApproved           nobody approved the sample in time; halts the job
├── PilotRefused             the API refused the first request; halts the job
├── SampleFailed             the sample has no answers to show; halts the job
├── JobClosedSince           a later attempt closes the job; raised only in an attempt that was superseded
├── DeadlinePassed           `finish_within` passed before the shard was sent: the live lane takes it
├── SubmissionRefused        the API refused a create, and created nothing
├── SubmissionUncertain      a create with an unknown outcome: never sent again
├── SubmissionUnsettled      … and settling could not find out the outcome
├── RateLimited              the API asks for a later try
├── CountRefused             the API does not count a request's tokens; it would not answer it, either
├── ApiUnavailable           a read failed with a transient error; safe to retry
├── AwsUnavailable           AWS throttled a call, failed or was out of reach; safe to retry
├── MessageBatchLost         the API does not know the Message Batch
├── ResultsIncomplete        fewer results than the Message Batch counted
├── SliceBusy                another worker answers the slice
├── SliceGivenUp             too many workers had the slice; its open requests are left to the next round
├── LedgerContended          every attempt to write a ledger item met a concurrent write; safe to retry
├── NotErased                S3 does not delete a version of an object for good; only `batchdrop forget` tries
├── InvariantBroken          a row was lost between two steps: a bug of batchdrop, never the user's fault
└── SplitTooSlow             one shard does not fit into one invocation
"""


class BatchdropError(Exception):
    """Base of all errors."""


class JobFault(BatchdropError):
    """The user's input cannot become a job; the message says what is wrong, where, and what to do."""


class UploadRejected(JobFault):
    """The dropped file cannot be read as rows."""


class RecipeRejected(JobFault):
    """The recipe is missing, broken, or does not fit the file."""


class RetryRefused(JobFault):
    """Rows of a job cannot be sent again; the message says why, and what to do."""


class AnswerStoreDamaged(JobFault):
    """A file of the answer store is cut or changed; the message names it, and says what to do."""


class PricesRejected(JobFault):
    """The user's own price table is broken."""


class TooExpensive(JobFault):
    """The job would cost more than its recipe allows, or its cost is unknown: nothing is sent."""


class JobExpired(JobFault):
    """The records of what the job has sent may have expired: a resume could pay for its rows again."""


class NothingToSend(JobFault):
    """No row of the file could become a request."""


class AccountTrouble(BatchdropError):
    """Authentication, billing, permission or spend limit: stop sending and report it to the user."""


class BudgetReached(BatchdropError):
    """Nothing is under way, and the next round might exceed `max_cost_usd`: the job closes with its answers so far."""


class JobFailed(BatchdropError):
    """The job is closed, and it failed. Raised last, so that a redriven execution can continue from there."""


class NothingAnswered(BatchdropError):
    """Rows were sent, and none of them was answered. It is the fault of a closed job, and is never raised."""


class TooFewAnswered(BatchdropError):
    """Fewer rows were answered than the recipe's `fail_if` allows. It is a closed job's fault, and is never raised."""


class JobCanceled(BatchdropError):
    """The user canceled the job: send nothing more, keep the answers."""


class JobNotApproved(BatchdropError):
    """The sample was shown, but nobody approved it in time: the other rows are not sent."""


class SampleFailed(BatchdropError):
    """The sample's shard failed, so there is nothing to show: the other rows are not sent."""


class PilotRefused(BatchdropError):
    """The API refused the job's first request, so nothing more was sent, and nothing is billed."""


class JobClosedSince(BatchdropError):
    """A later attempt closes the job, or has closed it. This attempt was superseded and must not write any more."""


class DeadlinePassed(BatchdropError):
    """The job is late, and this shard was not sent yet: it goes to the live lane instead."""


class SubmissionRefused(BatchdropError):
    """A create was refused cleanly: nothing was created, and nothing will be billed."""


class SubmissionUncertain(BatchdropError):
    """A create was sent, but its response never came: it may exist and be billed. Never send it again."""


class SubmissionUnsettled(BatchdropError):
    """The time for settling is over, and the outcome of a create is still unknown: it may exist and be billed.

    Nothing was sent again. The message names the candidates; resuming the job searches again.
    """


class RateLimited(BatchdropError):
    """429 or 529 on a call without effect; retry later."""


class CountRefused(BatchdropError):
    """The API refuses to count a request: the model is unknown, or it would not answer the prompt, either."""


class ApiUnavailable(BatchdropError):
    """A call without side effects failed with a transient error (network, 5xx)."""


class AwsUnavailable(BatchdropError):
    """AWS throttled a call, failed with a 5xx or was out of reach, and the SDK's own retries are used up.

    The call may have taken effect. Every function can be repeated after it.
    """


class MessageBatchLost(BatchdropError):
    """The API answers 404 for a Message Batch long after its creation."""


class ResultsIncomplete(BatchdropError):
    """The results have fewer answers than the Message Batch counted: fetch them again."""


class SliceBusy(BatchdropError):
    """Another worker holds the slice's lease: retry when it has ended, or when the lease has expired."""


class SliceGivenUp(BatchdropError):
    """A slice of the live lane had too many workers. Its requests without a line are left to the next round."""


class LedgerContended(BatchdropError):
    """Every attempt to write a shared item of the ledger met a concurrent write."""


class NotErased(BatchdropError):
    """S3 refuses to delete a version of an object; the message names it, and says what to do."""


class InvariantBroken(BatchdropError):
    """rows in = answered + unusable + failed + rejected does not hold."""


class SplitTooSlow(BatchdropError):
    """An invocation ended without completing a single shard, so continuing would never end."""


class RowRejected(Exception):  # rejects one row only; caught where rows are read
    """This row cannot become a request; the message is the user's reason."""


class RowSkipped(RowRejected):  # likewise, where the recipe says so: `on_empty: skip`
    """The row is not sent, and the recipe wants it so; the message says why."""
