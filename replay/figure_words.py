"""What a figure says, in English and in Chinese.

Owns the words: Stevens' own for the phases, and those that Chinese textbooks use for them. Knows keys, no figure.
"""

from __future__ import annotations

from .figure import Figure, Say
from .words import brief

LANGUAGES = ("en", "zh")

_ENGLISH = {
    "call": "{0}", "system call": "system call", "would block": "EWOULDBLOCK", "return": "return {0}", "returns": "return",
    "process": "process data",
    "return ok": "return OK", "brought": "{0} B, {1}", "return connection": "return OK", "after": "after {0}", "looks": "looks for it",
    "no data ready": "no data ready", "no datagram ready": "no datagram ready", "no connection ready": "no connection ready",
    "data ready": "data ready", "datagram ready": "datagram ready", "connection ready": "connection ready",
    "copy data": "copy data from kernel to user", "copy datagram": "copy datagram from kernel to user",
    "copy connection": "take connection from the queue", "copy complete": "copy complete", "connection handed over": "done",
    "never returned": "never returned", "never completed": "never completed", "more calls": "{0} more calls",
    "readable": "readable", "ready in": "{0} ready, {1}", "serves others": "serves others first: {0}", "sent": "{0} sends",
    "arms": "{0}: ask for {1}",
    "pauses": "{0}", "goes on": "goes on executing", "waits for any": "{0}: waits for any to be done",
    "handler": "signal handler", "took signal": "took the signal",
    "delivers": "deliver {0}", "submits": "submit", "with": "with {0}", "completes": "done", "completes connection": "done",
    "taken by": "{0} takes it",
    # Braces.
    "wait for data": "wait for data", "wait for datagram": "wait for datagram", "wait for connection": "wait for connection",
    "wake up and copy": "wake-up + copy", "copy": "copy data to user", "wait or copy": "not told apart", "not measured": "not measured",
    "blocked in": "blocked in {0}", "in": "in {0}", "polls": "polls: {0} again and again", "lies there": "lies in the kernel",
    "pause for all": "free to go on: it pauses", "signal on its way": "signal on its way", "not in call": "no call waits for it",
    # The frame.
    "title blocking": "Blocking I/O", "title nonblocking": "Nonblocking I/O", "title multiplexing": "I/O multiplexing",
    "title signal-driven": "Signal-driven I/O", "title asynchronous": "Asynchronous I/O", "figure": "UNP figure {0}, as measured",
    "application": "application", "kernel": "kernel", "queued": "queue", "unknown": "?",
    "about": "call {0}: {1} on {2}", "at": "at {0}", "counted from": "0 is {0} s after the start of the run",
    "data": "data: {0}",
    "source calls": "call", "source kernel": "kernel", "source packet": "packet", "source sender": "sender", "source client": "client",
    "source signal": "Python", "source none": "?",
    "legend": "How each time is known: {0}",
    "means calls": "call: the start or the return of a recorded call", "means kernel": "kernel: the kernel's own time stamp",
    "means packet": "packet: captured on the wire", "means sender": "sender: within the send of its recorded peer",
    "means client": "client: the workload handed its first byte to the kernel", "means signal": "Python: its handler began",
    "means none": "?: not measured",
    "queue legend": "queue: bytes in the socket's receive buffer{0}",
    "at least": ", ≥ by what was received",
    # Notes.
    "polled": "{0} polls found nothing in {1}, one every {2}; {3} of that inside the calls.",
    "polled others": "In between, {0} more polls asked other sockets.",
    "sleeps between polls": "Between two polls {0} pass: data that comes meanwhile lies there until the next one.",
    "other waits": "Since its last receive, {0} × {1} returned for other sockets: one call waits for all.",
    "waits in ring": "The program had nothing else to do: {0} handed it in and waited {1} for any completion.",
    "ready between": "When the data was there was not measured; it was within the {0} after {1} began to send.",
    "ready between polls": "When the data was there was not measured; it was within the {0} after the last poll for nothing began.",
    "how to measure": "To measure it: record with --kernel-times or --packets.",
    "lay": "The data had been lying in the kernel for {0} before the program asked.",
    "woke late": "From data to return it took {0}: hardly the copy, but the thread's wait for a processor or for Python's lock (GIL).",
    "timeout": "Called with a timeout of {0}: Python polls first, then calls on a nonblocking descriptor.",
}
_CHINESE = {
    "call": "{0}", "system call": "系统调用", "would block": "EWOULDBLOCK", "return": "返回 {0}", "returns": "返回",
    "process": "处理数据",
    "return ok": "返回成功", "brought": "{0} B，{1}", "return connection": "返回成功", "after": "历时 {0}", "looks": "检查数据",
    "no data ready": "数据未就绪", "no datagram ready": "数据报未就绪", "no connection ready": "无新连接",
    "data ready": "数据就绪", "datagram ready": "数据报就绪", "connection ready": "连接就绪",
    "copy data": "将数据从内核拷贝到用户进程", "copy datagram": "将数据报从内核拷贝到用户进程", "copy connection": "从队列取出连接",
    "copy complete": "拷贝完成", "connection handed over": "完成", "never returned": "没有返回", "never completed": "没有完成",
    "more calls": "另有 {0} 次调用", "readable": "返回可读", "ready in": "{0} 个，{1}", "serves others": "先服务其他：{0} 次",
    "sent": "{0} 发送",
    "arms": "{0}：请求 {1}", "pauses": "{0}", "goes on": "进程继续执行", "waits for any": "{0}：等待任一完成",
    "handler": "信号处理函数", "took signal": "取得信号",
    "delivers": "递交 {0}", "submits": "提交请求", "with": "经由 {0}", "completes": "完成", "completes connection": "完成",
    "taken by": "{0} 取得结果",
    "wait for data": "等待数据", "wait for datagram": "等待数据报", "wait for connection": "等待连接", "wake up and copy": "唤醒与拷贝",
    "copy": "拷贝数据到用户", "wait or copy": "两阶段未分开", "not measured": "未测量", "blocked in": "阻塞于 {0}",
    "in": "执行 {0}",
    "polls": "反复调用 {0}（轮询）", "lies there": "数据留在内核", "pause for all": "进程可继续执行：它在 pause",
    "signal on its way": "信号递交中",
    "not in call": "没有调用为它阻塞",
    "title blocking": "阻塞式 I/O", "title nonblocking": "非阻塞式 I/O", "title multiplexing": "I/O 复用",
    "title signal-driven": "信号驱动式 I/O",
    "title asynchronous": "异步 I/O", "figure": "UNP 图 {0}，实测", "application": "应用进程", "kernel": "内核", "queued": "缓冲",
    "unknown": "？", "about": "调用 {0}：{1}，{2}", "at": "位于 {0}", "counted from": "0 为运行开始后 {0} s", "data": "数据：{0}",
    "source calls": "调用", "source kernel": "内核", "source packet": "报文", "source sender": "发送方", "source client": "客户",
    "source signal": "Python", "source none": "？", "legend": "时间的来源：{0}", "means calls": "调用：所记录调用的开始或返回",
    "means kernel": "内核：内核时间戳", "means packet": "报文：抓包所得", "means sender": "发送方：在对端的 send 之内",
    "means client": "客户：客户端把首字节交给内核之时", "means signal": "Python：信号处理函数开始之时", "means none": "？：未测量",
    "queue legend": "缓冲：套接字接收缓冲区中的字节数{0}", "at least": "；≥ 由所接收的得知",
    "polled": "{1} 内有 {0} 次轮询一无所获，平均每 {2} 一次；其中 {3} 花在调用里。",
    "polled others": "其间另有 {0} 次轮询询问了其他套接字。",
    "sleeps between polls": "两次轮询之间相隔 {0}：其间到达的数据要等到下一次轮询。",
    "other waits": "自上次接收以来，{1} 为其他套接字返回了 {0} 次：一个调用等待所有套接字。",
    "waits in ring": "程序没有别的事可做：{0} 提交请求，并等待任一完成事件 {1}。",
    "ready between": "数据何时就绪未测量；它在 {1} 开始发送后的 {0} 之内。",
    "ready between polls": "数据何时就绪未测量；它在最后一次无果的轮询开始后的 {0} 之内。",
    "how to measure": "若要测量：用 --kernel-times 或 --packets 记录。", "lay": "程序来取之前，数据已在内核中停留 {0}。",
    "woke late": "从数据就绪到返回用了 {0}：几乎不是拷贝，而是线程等待处理器或 Python 的全局锁（GIL）。",
    "timeout": "调用带有 {0} 的超时：Python 先 poll，再在非阻塞描述符上调用。",
}
_WORDS = {"en": _ENGLISH, "zh": _CHINESE}


def say(what: Say | None, lang: str) -> str:
    """Return words in a language, with nothing in them that a terminal would obey."""
    return "" if what is None else _WORDS[lang][what.key].format(*(brief(value, 24) for value in what.values))


def title(figure: Figure, lang: str) -> tuple[str, str]:
    """Return the name of the model, and which figure it is."""
    return say(Say(f"title {figure.model}"), lang), say(Say("figure", (figure.number,)), lang)


def about(figure: Figure, lang: str) -> list[str]:
    """Return which call of which run is drawn, and where in the program it was made."""
    call = figure.call
    lines = [f"{brief(figure.receive.run)}  " + say(Say("about", (str(call.call_id), call.operation, figure.receive.socket)), lang)]
    if call.site is not None:
        lines.append(say(Say("at", (call.site.short,)), lang) + (f"  {brief(call.site.code, 100)}" if call.site.code else ""))
    return lines


def legend(figure: Figure, lang: str) -> list[str]:
    """Return what the sources and the queue mean, as far as the figure has them."""
    used = dict.fromkeys(step.source for step in figure.steps if step.at_ns is not None)
    # A row without a moment of its own may just be a part of its neighbours; of the kernel's it says that nobody measured it.
    if any(step.unmeasured for step in figure.steps):
        used["none"] = None
    between = "; " if lang == "en" else "；"
    lines = [say(Say("counted from", (f"{figure.origin_ns / 1e9:.6f}",)), lang),
             _WORDS[lang]["legend"].format(between.join(say(Say(f"means {source}"), lang) for source in used))]
    if any(step.queued is not None for step in figure.steps):
        lines.append(say(Say("queue legend", (say(Say("at least"), lang) if any(step.at_least for step in figure.steps) else "",)), lang))
    return lines
