"""The console: pages in the user's own browser, served by `batchdrop ui` on 127.0.0.1.

Pages plug in here. A page is a room of its own below this one (`ui/trying/`, `ui/jobs/`), with its templates in
`ui/templates/<room>/`. It gives one `Page`, and `pages.PAGES` lists it; the header shows what is listed, in that order.

    def _routes(session: Session) -> list[Route]:
        def index(request: Request) -> Response:
            jobs = listed_jobs(session.stack.deployment(), limit=50, status=None, now=session.now())
            return page(request, "jobs/index.html.j2", jobs=jobs)

        return [Route("/jobs", index), Route("/jobs/{job}/cancel", cancel, methods=["POST"])]

    JOBS = Page("Jobs", "/jobs", _routes)

- **Paths.** All paths of a page begin with its own (`/jobs`). The header marks the page whose path the address has.
- **Endpoints** are plain functions: Starlette runs them in a thread, so they may read files and AWS. Use `async def`
  only for event streams (`static/vendor/htmx-sse.min.js` reads them), which must not keep a thread each.
- **`session`** has the file, the recipe, the Claude API (`service`), the folder of outputs and the stack.
  `session.stack.deployment()` waits for the stack and returns the `Deployment` that all commands use: bucket, ledger,
  executions, progress. Before it is ready, show `session.stack.state` instead of waiting.
- **Rendering.** `rendering.page(request, template, **values)` renders a whole page that extends `frame.html.j2`;
  `rendering.part` renders what htmx puts into one. Values are escaped; the filters are those of the report's pages.
  `parts.html.j2` has macros for empty states, notes and badges.
- **Forms.** `forms.posted(function)` makes an endpoint of a function that takes the request and the form's fields.
  `guard.Guard` has refused every request of another site by then, so no form needs a token of its own.
- **Errors.** Raise the errors that commands raise. They become the error page, or for htmx a message above the page.
  It stays until the next action; what a page asks by itself, such as progress, has `data-background` and leaves it.
- **Downloads.** `downloads.attachment(...)`: what comes from a bucket is never shown as a page.
- **Looks** are `static/console.css`: its variables, and its classes for tables, cards, buttons and fields. There are no
  inline styles or scripts: the browser refuses them (`guard.POLICY`). A page's script is a file in `static/`, listed in
  its template's block `scripts`.
- **Writes.** The console writes `inbox/`, `recipes/`, `results/<job>/gold.jsonl`, approvals and controls, through the
  functions of the commands; on the machine the recipe that is saved, and `OUT/tried.sqlite`.

Everything that comes from files, models and recipes is text. `docs/security.md` lists the attacks with their tests.
"""
