"use strict";
// The words of the page in English and Chinese. Owns every text that people read; knows nothing of what is drawn.

const WORDS = {
  en: {
    language: "中文", theme: "Light / dark", fit: "Whole run", zoom_in: "Zoom in", zoom_out: "Zoom out", ruler: "Ruler", help: "Keys",
    align: "Align", align_exchange: "Aligned at the first shared exchange", align_clock: "Aligned at the start of each run",
    find: "Search calls", find_hint: "EAGAIN, 127.0.0.1, text, #call", operation: "Operation", outcome: "Outcome",
    socket: "Socket", kind: "Kind", any: "any", clear: "Clear", close: "Close", next: "Next", previous: "Previous",
    blocked: "blocked", fruitless: "fruitless", moved: "moved data", other: "other calls", outside: "outside calls",
    blocked_long: "waiting inside a call", fruitless_long: "asked, and there was nothing",
    threads: "threads", connections: "sockets", clients: "clients", buffers: "in the kernel's buffers", curve: "CPU and fruitless share", more: "{0} more", cpu: "CPU",
    fruitless_share: "fruitless share of time in view", legend: "Legend", exchange: "question to answer", ready: "copy phase: ready to return",
    buffer_legend: "bytes in a socket's receive buffer, as the kernel had them: all through a column, lighter for a part of it", buffer_words: "{0} in the kernel's buffer of {1}",
    buffer_most: "most", buffer_mean: "mean over time", buffer_end: "at the end", known_from: "known from", packet: "captured packets", sender: "the sender, recorded too",
    mark_moved: "dot: bytes moved", mark_failed: "diamond: end of file or failure", mark_signal: "triangle: signal",
    details: "The call", nothing_selected: "Click a call, or focus the timeline and press Enter.", call: "call", run: "run", thread: "thread",
    started: "started", duration: "took", unfinished: "had not returned when the run ended", asked: "asked", result: "result", errno: "errno",
    flags: "flags", timeout: "may wait", forever: "for ever", never: "never (nonblocking)", peer: "peer", local: "local address", site: "called from",
    wait_phase: "waited for data", copy_phase: "wake-up and copy", sat: "had lain in the kernel for", ready_source: "known from", parent: "ran inside",
    spin: "spin", spin_words: "one of {0} fruitless calls in a row, {1} in all", enabled_by: "made possible by", enables: "made possible",
    reported: "readiness", question: "question received", answer: "answer sent", client_saw: "client saw", client_words: "{0}, exchange {1}: {2} after {3}",
    source: "The program", payload: "Payload", payload_words: "{0} of {1} bytes", as_text: "Text", as_hex: "Bytes", show_more: "Show more",
    no_payload: "no bytes are in this page for the call", left_out: "{0} payloads were left out of this page for its size",
    matches: "{0} calls match", match_at: "{0} of {1}", no_match: "no call matches", more_matches: "the first {0} are listed",
    summary: "What is in view", lane: "lane", calls: "calls", time: "time", share: "share", bytes: "bytes",
    phases: "The two phases of input, as measured (UNP, figure 6.6)", asleep: "waiting for data, asleep", polling: "waiting for data, polling",
    both: "waiting and copying, not measured apart", copying: "copying data from kernel to user", by_kernel: "both by the kernel, meanwhile", elsewhere: "elsewhere in the program",
    runs_table: "The runs", comparison: "Compared", latencies: "Answers", median: "median", worst: "worst", p99: "p99", answers: "answers",
    program: "program", model: "model", ended: "ended", lost: "lost calls", blind: "what could not be seen",
    loading: "Reading the runs …", failed: "This page could not be read: {0}", needs: "This page needs a browser of 2023 or later.",
    range: "{0} from {1}", ruler_words: "ruler: {0}, from {1} to {2}; {3} calls begun", ruler_hint: "drag to measure; R or Escape ends",
    selected: "{0}, {1}, at {2}, took {3}", pixel: "{0} calls under this point, {1} fruitless", lane_words: "{0}: {1}", nothing: "nothing",
    partial: "Not every call is in view one by one: zoom in.", partial_file: "This run has too many calls for one file: short ones are shown as time only. sockreel serve shows each.",
    live: "still recording", open: "open", to_close: "closed by {0}", packets: "packets", mark_packet: "tick on a connection: a packet, above the middle to the program, below it from the program", signals: "signals", during: "during", folded: "counted, not kept",
    keys: [["← →", "pan"], ["+ −", "zoom"], ["0", "whole run"], ["↑ ↓", "choose a lane"], ["Enter", "first call of the lane in view"],
      [", .", "previous, next call of the lane"], ["< >", "previous, next call that was not fruitless"], ["/", "search"], ["N", "next match"],
      ["R", "ruler (or Shift and drag)"], ["Escape", "let go"], ["D", "light or dark"], ["L", "language"],
      ["wheel", "zoom; with Shift: pan; over the names: scroll"]],
  },
  zh: {
    language: "English", theme: "浅色 / 深色", fit: "全部", zoom_in: "放大", zoom_out: "缩小", ruler: "标尺", help: "按键",
    align: "对齐", align_exchange: "按第一次共同的请求对齐", align_clock: "按各次运行的开始对齐",
    find: "查找调用", find_hint: "recv、EAGAIN、127.0.0.1、发送的文本、#编号", operation: "操作", outcome: "结果", socket: "套接字",
    kind: "类别", any: "不限", clear: "清除", close: "关闭", next: "下一个", previous: "上一个",
    blocked: "阻塞", fruitless: "无果", moved: "传输数据", other: "其他调用", outside: "调用之外",
    blocked_long: "在调用中等待", fruitless_long: "问了，但什么也没有",
    threads: "线程", connections: "套接字", clients: "客户", buffers: "内核缓冲区中", curve: "CPU 与无果占比", more: "还有 {0} 个", cpu: "CPU",
    fruitless_share: "视图内无果调用的时间占比", legend: "图例", exchange: "从提问到回答", ready: "拷贝阶段：就绪到返回",
    buffer_legend: "套接字接收缓冲区中的字节数：整列都在为深色，只在部分时间为浅色", buffer_words: "{1} 的内核缓冲区中有 {0}",
    buffer_most: "最多", buffer_mean: "时间平均", buffer_end: "结束时", known_from: "依据", packet: "捕获的数据包", sender: "同样被记录的发送方",
    mark_moved: "圆点：传输了字节", mark_failed: "菱形：结束或失败", mark_signal: "三角：信号",
    details: "调用", nothing_selected: "点击一个调用，或聚焦时间线后按 Enter。", call: "调用", run: "运行", thread: "线程",
    started: "开始", duration: "用时", unfinished: "运行结束时尚未返回", asked: "请求", result: "返回", errno: "errno",
    flags: "标志", timeout: "可等待", forever: "无限期", never: "不等待（非阻塞）", peer: "对端", local: "本地地址", site: "调用位置",
    wait_phase: "等待数据", copy_phase: "唤醒并将数据从内核拷贝到用户进程", sat: "数据已在内核中停留", ready_source: "依据", parent: "外层调用",
    spin: "空转", spin_words: "连续 {0} 次无果调用之一，共 {1}", enabled_by: "由此促成", enables: "促成了",
    reported: "就绪", question: "收到的请求", answer: "发出的回答", client_saw: "客户所见", client_words: "{0}，第 {1} 次：{2}，用时 {3}",
    source: "程序", payload: "数据", payload_words: "{1} 字节中的 {0} 字节", as_text: "文本", as_hex: "字节", show_more: "显示更多",
    no_payload: "本页没有该调用的数据", left_out: "因页面大小，省略了 {0} 份数据",
    matches: "{0} 个调用符合", match_at: "第 {0} / {1} 个", no_match: "没有符合的调用", more_matches: "列出前 {0} 个",
    summary: "视图内容", lane: "泳道", calls: "调用数", time: "时间", share: "占比", bytes: "字节",
    phases: "输入的两个阶段，实测（UNP 图 6.6）", asleep: "等待数据（睡眠）", polling: "等待数据（轮询）",
    both: "等待与拷贝，未分开测量", copying: "将数据从内核拷贝到用户进程", by_kernel: "两者由内核同时完成", elsewhere: "程序其他部分",
    runs_table: "各次运行", comparison: "比较", latencies: "回答", median: "中位数", worst: "最慢", p99: "p99", answers: "回答数",
    program: "程序", model: "模型", ended: "结束", lost: "丢失的调用", blind: "未能看到的",
    loading: "正在读取 …", failed: "无法读取本页：{0}", needs: "本页需要 2023 年或更新的浏览器。",
    range: "{0}，自 {1} 起", ruler_words: "标尺：{0}，从 {1} 到 {2}；开始了 {3} 次调用", ruler_hint: "拖动测量；R 或 Escape 结束",
    selected: "{0}，{1}，开始于 {2}，用时 {3}", pixel: "此处 {0} 次调用，其中 {1} 次无果", lane_words: "{0}：{1}", nothing: "无",
    partial: "视图中并非每个调用都单独列出：请放大。", partial_file: "此运行调用太多，一个文件放不下：短调用只显示时间。sockreel serve 可显示每个调用。",
    live: "仍在记录", open: "未关闭", to_close: "关闭方式 {0}", packets: "数据包", mark_packet: "连接上的短线：数据包，上半为收到，下半为发出", signals: "信号", during: "期间", folded: "只计数，未保留",
    keys: [["← →", "平移"], ["+ −", "缩放"], ["0", "全部"], ["↑ ↓", "选择泳道"], ["Enter", "泳道视图中的第一个调用"],
      [", .", "泳道的上一个、下一个调用"], ["< >", "上一个、下一个有收获的调用"], ["/", "查找"], ["N", "下一个符合的"],
      ["R", "标尺（或 Shift 加拖动）"], ["Escape", "放开"], ["D", "浅色或深色"], ["L", "语言"], ["滚轮", "缩放；加 Shift 平移；在名称上滚动"]],
    figure_names: {duration: "时长", calls: "调用", fruitless: "无果的调用", fruitless_share: "占全部调用", blocked: "阻塞在调用中的时间", cpu: "处理器时间",
      cpu_fruitless: "其中：无果的调用", cpu_useful: "其中：其他调用", cpu_elsewhere: "其中：调用之外", answers: "得到回答的请求", cpu_per_answer: "每次问答的处理器时间",
      median: "回答延迟，中位数", p99: "回答延迟，p99", switches: "主动让出处理器", preempted: "被抢占", memory: "内存峰值", eofs: "流结束", resets: "连接重置",
      errors: "其他失败的调用", unfinished: "没有返回的调用", call_cost: "记录一次调用", recording_share: "记录所占处理器时间", lost: "未记录的调用"},
  },
};

const Words = {
  language: "en",
  /** Return a text, {0}, {1} ... filled in. */
  say(key, ...values) {
    const text = WORDS[Words.language][key] ?? WORDS.en[key] ?? key;
    return typeof text === "string" ? text.replace(/\{(\d)\}/g, (_, n) => String(values[Number(n)])) : text;
  },
  /** Return what the document tells in each language, in the one that is spoken. */
  own(told) { return told[Words.language] ?? told.en; },
  /** Put the words into every element that names one. */
  apply() {
    document.documentElement.lang = Words.language === "zh" ? "zh-Hans" : "en";
    for (const element of document.querySelectorAll("[data-word]")) element.textContent = Words.say(element.dataset.word);
    for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", Words.say(element.dataset.label));
    for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = Words.say(element.dataset.hint);
  },
};
