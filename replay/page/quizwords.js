"use strict";
// The words of the quiz's own buttons, in English and Chinese. The questions come with their pack.

Object.assign(WORDS.en, {
  quiz: "Quiz", quiz_label: "Quiz", quiz_end: "End the quiz", quiz_question: "Question {0} of {1}", quiz_score: "{0} of {1} right",
  quiz_right: "Right.", quiz_wrong: "No. The answer is {0}: {1}", quiz_passed: "Passed. The answer is {0}: {1}", quiz_pass: "Pass",
  quiz_next: "Next question", quiz_look: "Step through it yourself: it stops before the next question.", quiz_none: "Nothing to ask about this run.",
  quiz_done: "All questions are answered: {0} of {1} right.", quiz_again: "Once more", quiz_keys: "Keys 1 to {0}; Escape ends.",
});
Object.assign(WORDS.zh, {
  quiz: "测验", quiz_label: "测验", quiz_end: "结束测验", quiz_question: "第 {0} 题，共 {1} 题", quiz_score: "{1} 题中答对 {0} 题",
  quiz_right: "正确。", quiz_wrong: "不对。答案是 {0}：{1}", quiz_passed: "跳过。答案是 {0}：{1}", quiz_pass: "跳过",
  quiz_next: "下一题", quiz_look: "可以自己单步查看：到下一题之前会停下。", quiz_none: "对这个运行没有可问的。",
  quiz_done: "题目都已回答：{1} 题中答对 {0} 题。", quiz_again: "再来一次", quiz_keys: "按键 1 到 {0}；Escape 结束。",
});
